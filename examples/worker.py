#!/usr/bin/env python3
"""A worker for task nodes, with nothing but Python's standard library.

    python3 examples/worker.py http://127.0.0.1:8484 words

takes tasks of the queue `words`, counts the words of the text in their input, and gives the numbers
back. A worker of your own imports this file and brings its own function:

    import worker
    worker.run("http://127.0.0.1:8484", "words", handle)

handle(task, log) gets the task as leased: `input`, and `key`, which is the same whenever this piece
of work is tried again: a worker that knows it has done `key` before can give the old answer. What
it returns is the node's output. log("...") writes a line into the session's log. It fails the task
by raising: a Failed with a code, or anything else. When the task was taken from this worker
meanwhile (cancelled, timed out, leased to another), Lost is raised from log(), and what the
function returns is dropped.

While it works, a thread sends heartbeats: without them the task goes to the next worker. Whatever
happens to this process, the task is done, and counts once.
"""
import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

WAIT_MS = 30000  # of one request for work


class Failed(Exception):
    """The task has failed. retry=False: another attempt makes no sense."""

    def __init__(self, code, message, retry=True):
        super().__init__(message)
        self.code, self.retry = code, retry


class Lost(Exception):
    """The task is not this worker's any more."""


class Client:
    def __init__(self, server, token=None):
        self.server, self.token = server.rstrip("/"), token

    def post(self, path, body, key=None, timeout=60):
        """(status, answer). Raises OSError when the server cannot be reached."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        request = urllib.request.Request(self.server + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            text = refused.read()
            try:
                return refused.code, json.loads(text)
            except ValueError:
                return refused.code, {"error": text.decode("utf-8", "replace")}

    def insist(self, path, body, key):
        """Until the server has said yes or no: with a key, repeating does no harm."""
        delay = 0.1
        while True:
            try:
                status, answer = self.post(path, body, key)
                if status < 500 and status != 429:
                    return status, answer
            except OSError:
                pass
            time.sleep(delay)
            delay = min(delay * 2, 5)


class Lease:
    """A task while it is this worker's: renewed three times in its length."""

    def __init__(self, client, task):
        self.client, self.task = client, task
        self.path = "/tasks/" + task["id"]
        self.lost, self.over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)
        self.thread.start()

    def beat(self):
        while not self.over.wait(self.task["heartbeat_ms"] / 3000):
            try:
                self.say({})
            except OSError:
                pass  # the next one may get through
            except Lost:
                return

    def say(self, more):
        body = {"attempt": self.task["attempt"], **more}
        status, _ = self.client.post(self.path + "/heartbeat", body)
        if status in (404, 409):
            self.lost.set()
        if self.lost.is_set():
            raise Lost()

    def log(self, line, level="info"):
        if self.lost.is_set():
            raise Lost()
        self.say({"log": str(line), "level": level})

    def end(self, how, body):
        self.over.set()
        self.thread.join()
        key = "task-%s-%d" % (self.task["id"], self.task["attempt"])
        return self.client.insist(self.path + how, {**body, "attempt": self.task["attempt"]}, key)


def work(client, task, handle):
    """One task, from lease to end. True when its answer counted."""
    lease = Lease(client, task)
    try:
        how, body = "/complete", {"output": handle(task, lease.log)}
    except Lost:
        lease.over.set()
        return False
    except Failed as e:
        how = "/fail"
        body = {"error": {"code": e.code, "message": str(e)[:1000]}, "retry": e.retry}
    except Exception as e:  # whatever it was, the session learns of it
        how = "/fail"
        body = {"error": {"code": "worker_error", "message": repr(e)[:500]}}
    status, answer = lease.end(how, body)
    if status != 200:
        print("task %s: %s" % (task["id"], answer.get("error")), file=sys.stderr)
    return status == 200


def run(server, queue, handle, name=None, token=None, stop=None):
    """Takes tasks of the queue and does them, one after the other, until `stop` is set."""
    client = Client(server, token)
    name = name or "%s-%d" % (socket.gethostname(), os.getpid())
    stop = stop or threading.Event()
    ask = {"queue": queue, "max": 1, "wait_ms": WAIT_MS, "worker": name}
    delay = 0.1
    while not stop.is_set():
        try:
            status, answer = client.post("/tasks/lease", ask, timeout=WAIT_MS / 1000 + 10)
        except OSError as e:
            status, answer = 0, {"error": str(e)}
        if status != 200:
            print("no work: %s" % answer.get("error"), file=sys.stderr)
            stop.wait(delay)
            delay = min(delay * 2, 5)
            continue
        delay = 0.1
        for task in answer["items"]:
            work(client, task, handle)


def count_words(task, log):
    text = (task["input"] or {}).get("text")
    if not isinstance(text, str):
        raise Failed("no_text", "The input has no text.", retry=False)
    words = text.split()
    log("counted %d words" % len(words))
    return {"words": len(words), "characters": len(text)}


def main():
    parser = argparse.ArgumentParser(description="Counts the words of tasks' texts.")
    parser.add_argument("server", help="such as http://127.0.0.1:8484")
    parser.add_argument("queue")
    parser.add_argument("--name", help="shown with the tasks it has")
    args = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: (stop.set(), sys.exit(0)))
    run(args.server, args.queue, count_words, args.name, os.environ.get("SLUICE_TOKEN"), stop)


if __name__ == "__main__":
    main()
