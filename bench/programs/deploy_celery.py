"""The app of the `deploy` case for Celery. As a program: `send N`, `count`."""
import os
import sys
import time

from celery import Celery

QUEUE = "deploys"
ITEMS = int(os.environ.get("BENCH_ITEMS", "200"))
ITEM_S = int(os.environ.get("BENCH_ITEM_MS", "50")) / 1000

app = Celery("deploy_celery", broker=os.environ["BENCH_BROKER"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name=QUEUE, acks_late=True)
def job(n):
    for item in range(ITEMS):
        time.sleep(ITEM_S)
        file = os.open(os.environ["BENCH_WITNESS"], os.O_WRONLY | os.O_APPEND)
        os.write(file, f"{n} {item} {time.monotonic() * 1000:.1f}\n".encode())
        os.close(file)


if __name__ == "__main__" and sys.argv[1] == "send":
    for n in range(int(sys.argv[2])):
        app.send_task(QUEUE, (n,), queue=QUEUE)

if __name__ == "__main__" and sys.argv[1] == "count":
    with app.connection() as connection:
        print(connection.default_channel.queue_declare(QUEUE, passive=True).message_count)
