"""Executes the code cells of a notebook: `execute.py NOTEBOOK KERNEL SECONDS`, JSON on stdout.

Each cell gives its source, the status and error text of its execute reply, and its outputs. An
output that comes after the kernel called the cell done is counted as `late` and left out: Jupyter
front ends drop it too.
"""

import json
import os
import queue
import sys
import time

from jupyter_client.manager import KernelManager

path, kernel, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
deadline = time.monotonic() + seconds


def receive(get):
    """The next message of a channel, in time and from a kernel that lives."""
    while time.monotonic() < deadline:
        try:
            return get(timeout=1)
        except queue.Empty:
            if not manager.is_alive():
                raise RuntimeError("the kernel died")
    raise TimeoutError(f"not done within {seconds:g} s")


def execute(client, source, late):
    parent = client.execute(source, stop_on_error=False)
    outputs = []
    while True:
        message = receive(client.get_iopub_msg)
        kind, content = message["msg_type"], message["content"]
        if message["parent_header"].get("msg_id") != parent:
            late += kind not in ("status", "execute_input") and content.get("data") != {}
        elif kind == "status" and content["execution_state"] == "idle":
            break
        elif kind in ("stream", "display_data", "execute_result", "error"):
            outputs.append({"output_type": kind, **content})
        elif kind == "update_display_data":
            for output in outputs:
                if output.get("transient") == content["transient"]:
                    output["data"] = content["data"]
    while True:
        reply = receive(client.get_shell_msg)
        if reply["parent_header"].get("msg_id") == parent:
            break
    reply = reply["content"]
    error = ": ".join(filter(None, (reply.get("ename"), reply.get("evalue"))))
    return {"source": source, "status": reply["status"], "error": error, "outputs": outputs}, late


with open(path, encoding="utf-8") as file:
    notebook = json.load(file)
sources = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]

manager = KernelManager(kernel_name=kernel)
manager.start_kernel(cwd=os.path.dirname(os.path.abspath(path)), stdout=sys.stderr)
client = manager.client()
cells, late = [], 0
try:
    client.start_channels()
    client.wait_for_ready(timeout=seconds)
    for source in sources:
        cell, late = execute(client, source, late)
        cells.append(cell)
except (RuntimeError, TimeoutError) as error:
    sys.exit(f"cell {len(cells) + 1}: {error}")
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
json.dump({"cells": cells, "late": late}, sys.stdout)
