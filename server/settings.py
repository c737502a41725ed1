"""Settings of one server process, read from `JINGWEI_…` environment variables.

Everything has a default that works on a laptop: an embedded store, no Redis, localhost.
"""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class Limits(BaseSettings):
    """What one request may cost.

    Beyond a limit the answer is a 4xx problem, never a slow death.
    """

    model_config = SettingsConfigDict(env_prefix="JINGWEI_LIMIT_", extra="ignore", frozen=True)

    sync_bytes: int = Field(default=MEBIBYTE, gt=0, description="POST /v1/sync, unpacked")
    json_bytes: int = Field(default=256 * 1024, gt=0, description="any other JSON body")
    geojson_bytes: int = Field(
        default=20 * MEBIBYTE, gt=0, description="GeoJSON imports and files of grids"
    )
    locate_bytes: int = Field(
        default=2 * MEBIBYTE, gt=0, description="a batch of positions, POST /v1/locate"
    )
    gzip_ratio: int = Field(default=50, gt=1, description="unpacked over packed bytes")
    body_deadline_s: float = Field(default=30, gt=0, description="a whole JSON body")
    bulk_deadline_s: float = Field(default=120, gt=0, description="a whole GeoJSON body")
    body_grace_s: float = Field(default=5, gt=0, description="before the rate is judged")
    body_rate: int = Field(default=1024, gt=0, description="least bytes per second after that")
    header_deadline_s: float = Field(default=10, gt=0, description="until headers are complete")
    buffered_bytes: int = Field(
        default=256 * MEBIBYTE, gt=0, description="bodies held in memory by one process"
    )
    upload_bytes: int = Field(default=20 * MEBIBYTE, gt=0, description="one photo or recording")
    upload_deadline_s: float = Field(default=600, gt=0, description="one request of an upload")
    upload_stall_s: float = Field(default=10, gt=0, description="longest silence inside one")
    uploads: int = Field(default=16, gt=0, description="upload requests received at once")
    uploads_open: int = Field(default=64, gt=0, description="unfinished uploads of an account")
    device_upload_bytes: int = Field(
        default=256 * MEBIBYTE, gt=0, description="unfinished uploads of a device, as announced"
    )
    account_upload_bytes: int = Field(
        default=2048 * MEBIBYTE, gt=0, description="uploads an account begins in 24 hours"
    )
    photo_pixels: int = Field(default=50_000_000, gt=0, description="width times height")
    cleanings: int = Field(default=2, gt=0, description="photos re-encoded at once")
    requests: int = Field(default=16, gt=0, description="requests worked on at once")
    waiting: int = Field(default=64, ge=0, description="requests that may queue for a place")
    waiting_s: float = Field(default=0.5, gt=0, description="longest stay in that queue")
    bulk_requests: int = Field(
        default=2,
        gt=0,
        description="layers, tiles, batches and checks of imports worked on at once",
    )
    bulk_waiting_s: float = Field(default=5, gt=0, description="longest stay in their queue")
    caller_requests: int = Field(
        default=600, gt=0, description="requests of one device or account in a window"
    )
    caller_window_s: int = Field(default=10, gt=0, description="seconds of that window")
    reveals: int = Field(
        default=50, gt=0, description="identity numbers an account may see or look for in a day"
    )
    contact_reveals: int = Field(
        default=200,
        gt=0,
        description="times an account may look at a name or telephone number in a day",
    )
    reveals_a_minute: int = Field(
        default=20, gt=0, description="looks of one account at what is masked, in a minute"
    )


class Settings(BaseSettings):
    """Everything an operator can set. Secrets never have defaults."""

    model_config = SettingsConfigDict(env_prefix="JINGWEI_", extra="ignore", frozen=True)

    database_url: str = Field(
        default="",
        description="postgresql://… or sqlite:///path; empty means ./var/jingwei.gpkg",
    )
    redis_url: str = Field(default="", description="redis://…; empty means in-process wake-ups")
    deployment: str = Field(
        default="jingwei",
        pattern=r"^[a-z0-9-]{1,40}$",
        description="name that keeps the Redis channels of several deployments apart",
    )
    host: str = Field(default="127.0.0.1", description="address that `serve` listens on")
    port: int = Field(default=8000, ge=0, le=65_535, description="port that `serve` listens on")
    workers: int = Field(default=1, ge=1, le=64, description="processes that `serve` starts")
    allow_unsafe: bool = Field(
        default=False,
        description="accept a PostgreSQL that may lose acknowledged work in a crash; for tests",
    )
    failpoints: str = Field(
        default="", description="steps of a write at which the process fails; for tests"
    )
    tombstone_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="days for which it is known what left a bucket",
    )
    offline_days: int = Field(
        default=14,
        ge=1,
        le=365,
        description="days without contact after which phones drop what they hold",
    )
    casework_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="days that phones keep incidents and tasks after they are over",
    )
    visit_days: int = Field(
        default=400, ge=1, le=3_650, description="days that phones keep visits"
    )
    access_anchor: str = Field(
        default="./var/access-anchor.log",
        description="file for the ends of the access log, better on another disk; empty: none",
    )
    access_days: int = Field(
        default=1_095,
        ge=1,
        le=36_500,
        description="days for which it is known who read what",
    )
    request_days: int = Field(
        default=15,
        ge=1,
        le=365,
        description="days of the calendar until people must be answered about their data",
    )
    copy_days: int = Field(
        default=7,
        ge=1,
        le=90,
        description="days for which a copy of somebody's data can be fetched",
    )
    proof_days: int = Field(
        default=1_095,
        ge=30,
        le=36_500,
        description="days for which it is known how a request about one's own data ended",
    )
    hsts: bool = Field(default=False, description="behind TLS: tell browsers to insist on it")
    media_url: str = Field(
        default="./var/media",
        description="where photos are kept: a folder, or s3://bucket/prefix (AWS_… variables)",
    )
    media_partials: str = Field(
        default="./var/media-partial",
        description="folder of unfinished uploads; shared by all processes behind one address",
    )
    sealed_purposes: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]{2,39}(,[a-z][a-z0-9_]{2,39}){0,9})?$",
        description="what identity numbers are kept for: words and commas; empty: not kept",
    )
    sealed_keys: str = Field(
        default="",
        description="where district keys come from: file:PATH, environment, command:COMMAND",
    )
    sealed_keyring: str = Field(
        default="", repr=False, description="the keyring itself, if keys come from environment"
    )
    sealed_vault: str = Field(
        default="./var/vault",
        description="folder of wrapped data keys; shared by all processes, saved apart",
    )
    sealed_days: int = Field(
        default=365, ge=1, le=3_650, description="longest time an identity number is kept"
    )
    limits: Limits = Field(default_factory=Limits)
