"""What docker-py asks of containers; each part prints one line of JSON, and fails loudly."""
import io
import json
import sys
import tarfile
import threading

import docker

client = docker.from_env()
image = sys.argv[1]


def show(part, value):
    print(json.dumps([part, value]), flush=True)


show("run", client.containers.run(image, ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True).decode().split())
try:
    client.containers.run(image, ["sh", "-c", "echo no >&2; exit 3"], remove=True)
except docker.errors.ContainerError as error:
    show("failure", [error.exit_status, error.stderr.decode()])

seen = []
events = client.events(decode=True, filters={"type": "container", "label": "by=py"})
reader = threading.Thread(target=lambda: [seen.append(event["Action"]) or event["Action"] == "destroy" and events.close() for event in events])
reader.start()
program = "i=0; while [ $i -lt 3 ]; do echo line $i; i=$((i+1)); done; cat; sleep 1000"
box = client.containers.create(image, ["sh", "-c", program], name="py", stdin_open=True, labels={"by": "py"})
attached = box.attach(stream=True, logs=False)
box.start()
show("attach", [next(attached).decode().split("\n")[0]])
stream = box.logs(stream=True, follow=True)
text = b""
while text.count(b"\n") < 3:
    text += next(stream)
show("logs", text.decode().splitlines())
show("exec", [box.exec_run(["sh", "-c", "echo a; echo b >&2; exit 4"], demux=True).exit_code])
show("demux", [part.decode() for part in box.exec_run(["sh", "-c", "echo a; echo b >&2"], demux=True).output])
code, chunks = box.exec_run(["sh", "-c", "echo one; echo two"], stream=True)
show("exec stream", b"".join(chunks).decode())
sock = box.exec_run("cat", stdin=True, socket=True).output
sock._sock.sendall(b"typed\n")
header = sock.read(8)
show("exec socket", sock.read(header[7]).decode())
sock.close()

data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w") as tar:
    info = tarfile.TarInfo("put")
    info.size = 4
    tar.addfile(info, io.BytesIO(b"here"))
show("put_archive", box.put_archive("/data", data.getvalue()))
bits, stat = box.get_archive("/data/put")
with tarfile.open(fileobj=io.BytesIO(b"".join(bits))) as tar:
    show("get_archive", [stat["name"], stat["size"], tar.extractfile("put").read().decode()])

numbers = box.stats(stream=False)
show("stats", [numbers["name"], numbers["pids_stats"]["current"] > 0, numbers["memory_stats"]["usage"] > 0])
show("stats stream", next(box.stats(stream=True, decode=True))["name"])
show("top", "Processes" in box.top())
box.pause()
box.reload()
show("paused", box.status)
box.unpause()
box.rename("pie")
box.update(mem_limit="64m", memswap_limit="64m")
box.reload()
show("renamed", [box.name, box.attrs["HostConfig"]["Memory"]])
box.stop(timeout=0)
show("wait", box.wait()["StatusCode"])
box.remove()
reader.join(10)
show("events", [action for action in seen if not action.startswith("exec_")])
client.close()
