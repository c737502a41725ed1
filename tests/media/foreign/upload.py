"""Uploads one file with tuspy: upload.py ENDPOINT TOKEN FILE HASH TYPE CHUNK_BYTES CHECKSUM."""

import sys
import time

from tusclient import client
from tusclient.exceptions import TusCommunicationError

endpoint, token, path, named, media_type, chunk, checked = sys.argv[1:]
tus = client.TusClient(endpoint, headers={"Authorization": f"Bearer {token}"})
uploader = tus.uploader(
    path,
    chunk_size=int(chunk),
    metadata={"hash": named, "filetype": media_type},
    retries=1_000,
    retry_delay=0.05,
    upload_checksum=checked == "yes",
)
for _ in range(200):
    try:
        uploader.set_url(uploader.create_url())
        break
    except TusCommunicationError:
        time.sleep(0.05)
uploader.offset = 0
uploader.upload()
