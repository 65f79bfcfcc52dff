"""An app as many have it. What its tasks do goes to a file that outlives every process."""
import json
import os
import time

from celery import Celery

app = Celery("proj", broker=os.environ["BROKER"])
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = int(os.environ.get("PREFETCH", "4"))
# A fleet that is frozen for a test must not be given up by the others.
app.conf.broker_heartbeat = 0


def tell(what, task, n):
    line = json.dumps({"what": what, "n": n, "job": task.request.id, "worker": task.request.hostname, "pid": os.getpid()})
    file = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (line + "\n").encode())
    os.close(file)


def work(task, n, seconds):
    tell("begin", task, n)
    if seconds is None:
        # Until the test lets it go.
        while not os.path.exists(f"{os.environ['WITNESS']}.go{n}"):
            time.sleep(0.05)
    else:
        time.sleep(seconds)
    tell("end", task, n)


@app.task(name="plain", bind=True)
def plain(self, n, seconds):
    work(self, n, seconds)


@app.task(name="late", bind=True, acks_late=True, reject_on_worker_lost=True)
def late(self, n, seconds):
    work(self, n, seconds)
