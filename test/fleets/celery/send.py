"""Sends tasks: [[name, n, seconds, queue, countdown or null], ...] in the first argument. Prints their ids."""
import json
import sys

from proj import app

ids = []
for name, n, seconds, queue, countdown in json.loads(sys.argv[1]):
    ids.append(app.send_task(name, (n, seconds), queue=queue, countdown=countdown).id)
print(json.dumps(ids))
