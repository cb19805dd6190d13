/**
 * A browser driven by puppeteer-core, which only tests load: by a specifier that is not a literal, so that
 * checking types does not put its 34 MB into `deno.lock`. `test/deno.lock` holds it.
 * @module
 */
import { chromium } from "../../lib/tasks/build/browser.ts";

const specifier = ["npm:puppeteer-core", "25.16.0"].join("@");

/** What is used of puppeteer's page. */
export interface PuppeteerPage {
  goto(url: string): Promise<unknown>;
  on(event: "request", listener: (request: { url(): string }) => void): void;
  evaluate(expression: string): Promise<unknown>;
  waitForFunction(expression: string, options: { timeout: number }): Promise<unknown>;
  waitForSelector(selector: string, options: { timeout: number }): Promise<unknown>;
  click(selector: string): Promise<void>;
  $$(selector: string): Promise<{ hover(): Promise<void> }[]>;
  screenshot(options: { path: `${string}.png` }): Promise<unknown>;
  readonly keyboard: Record<"down" | "press" | "up", (key: string) => Promise<void>>;
  readonly mouse: { wheel(by: { deltaY: number }): Promise<void> };
}

/** A browser with what closes it. */
export interface PuppeteerBrowser {
  newPage(): Promise<PuppeteerPage>;
  close(): Promise<void>;
}

/** Starts a headless Chromium that reaches this machine alone. */
export async function launch(size: { width: number; height: number }): Promise<PuppeteerBrowser> {
  const { default: puppeteer } = await import(specifier);
  const { stdout } = await new Deno.Command("which", { args: [await chromium()] }).output();
  return await puppeteer.launch({
    executablePath: new TextDecoder().decode(stdout).trim(),
    // whatever a page asks of the network fails at once
    args: [
      ...["--no-sandbox", "--disable-gpu"],
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
    defaultViewport: size,
  });
}
