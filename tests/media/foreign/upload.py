"""Uploads one file with tuspy: upload.py ENDPOINT TOKEN FILE HASH TYPE CHUNK_BYTES CHECKSUM."""

import sys
import time

from tusclient import client
from tusclient.exceptions import TusCommunicationError

sys.setrecursionlimit(50_000)  # tuspy calls itself for each retry, and a restart takes many
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
while uploader.url is None:  # whoever started this ends it when it takes too long
    try:
        uploader.set_url(uploader.create_url())
    except TusCommunicationError:
        time.sleep(0.05)
uploader.offset = 0
uploader.upload()
