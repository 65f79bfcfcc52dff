"""Sends tasks: [[name, n, seconds (null: until it is let go), queue], ...] in the first argument. Prints their ids."""
import json
import sys

from proj import app

ids = []
for name, n, seconds, queue in json.loads(sys.argv[1]):
    ids.append(app.send_task(name, (n, seconds), queue=queue).id)
print(json.dumps(ids))
