/** A part as text, `0.3 %`: errors are looked at below the one percent where others round. */
export const percent = (part: number): string => {
  const text = (100 * part).toFixed(Math.abs(part) >= 0.1 ? 0 : 1);
  return `${Number(text) === 0 ? text.replace("-", "") : text} %`;
};
