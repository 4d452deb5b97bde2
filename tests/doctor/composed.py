"""Directories as Harbor's installer makes them, one for each node, sound or broken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import bcrypt
import yaml

from tests.doctor.harbor import Key

REGISTRY_USER: Final = "harbor_registry_user"
REGISTRY_PASSWORD: Final = "c7Qh2lYw9bT4mZs1vNf8kRp3"
CORE_SECRET: Final = "Kq3vT8nWz5Ry1LmX"
JOB_SECRET: Final = "Hd7sPb2fGj9cVx4N"
CSRF_KEY: Final = "uXc1Vb2Nm3Qw4Er5Ty6Ui7Op8As9Df0G"
SECRET_KEY: Final = "Wr6tYu8iOp0aSd2f"
REDIS_PASSWORD: Final = "Lz9xKc8vJb7nHm6q"
SECRETS: Final = (
    REGISTRY_PASSWORD,
    CORE_SECRET,
    JOB_SECRET,
    CSRF_KEY,
    SECRET_KEY,
    REDIS_PASSWORD,
    "Harbor12345",
    "pg-Secret-1",
)


@dataclass
class Node:
    """One directory. Its parts can be changed before it is written."""

    directory: Path
    key: bytes
    version: str = "v2.15.2"
    core: dict[str, str] = field(default_factory=dict)
    jobservice: dict[str, str] = field(default_factory=dict)
    secret_key: str = SECRET_KEY
    registry_password: str = REGISTRY_PASSWORD
    http_secret: str = "placeholder"
    storage: Mapping[str, object] = field(default_factory=lambda: {"s3": {"bucket": "images", "region": "eu-1"}})
    own_database: bool = False
    own_redis: bool = False
    logs: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        config = self.directory / "common" / "config"
        data = self.directory / "data"
        environment = {
            "CONFIG_PATH": "/etc/core/app.conf",
            "_REDIS_URL_CORE": f"redis://:{REDIS_PASSWORD}@redis.example:6379/0?idle_timeout_seconds=30",
            "LOG_LEVEL": "info",
            "EXT_ENDPOINT": "https://harbor.example.com",
            "POSTGRESQL_HOST": "postgres.example",
            "POSTGRESQL_PORT": "5432",
            "POSTGRESQL_USERNAME": "postgres",
            "POSTGRESQL_PASSWORD": "pg-Secret-1",
            "POSTGRESQL_DATABASE": "registry",
            "REGISTRY_URL": "http://registry:5000",
            "HARBOR_ADMIN_PASSWORD": "Harbor12345",
            "CORE_SECRET": CORE_SECRET,
            "JOBSERVICE_SECRET": JOB_SECRET,
            "CORE_LOCAL_URL": "http://127.0.0.1:8080",
            "REGISTRY_CREDENTIAL_USERNAME": REGISTRY_USER,
            "REGISTRY_CREDENTIAL_PASSWORD": REGISTRY_PASSWORD,
            "CSRF_KEY": CSRF_KEY,
            **self.core,
        }
        write(config / "core" / "env", env(environment))
        write(config / "core" / "app.conf", "appname = Harbor\n")
        secrets = {"CORE_SECRET": CORE_SECRET, "JOBSERVICE_SECRET": JOB_SECRET}
        write(config / "jobservice" / "env", env(secrets | self.jobservice))
        write(config / "registryctl" / "env", env(secrets))
        write(config / "registry" / "env", "")
        hashed = bcrypt.hashpw(self.registry_password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")
        write(config / "registry" / "passwd", f"{REGISTRY_USER}:{hashed}\n")
        settings = {
            "version": 0.1,
            "storage": {"cache": {"layerinfo": "redis"}, **self.storage, "delete": {"enabled": True}},
            "http": {"addr": ":5000", "secret": self.http_secret},
            "auth": {"htpasswd": {"realm": "harbor-registry-basic-realm", "path": "/etc/registry/passwd"}},
        }
        write(config / "registry" / "config.yml", yaml.safe_dump(settings))
        write(data / "secret" / "core" / "private_key.pem", self.key.decode())
        write(data / "secret" / "keys" / "secretkey", self.secret_key)
        write(self.directory / "docker-compose.yml", yaml.safe_dump({"services": self._services()}))
        for name, text in self.logs.items():
            write(self.directory / "var/log/harbor" / name, text)

    def _services(self) -> dict[str, object]:
        services: dict[str, object] = {
            "log": {"image": f"goharbor/harbor-log:{self.version}", "volumes": ["/var/log/harbor/:/var/log/docker/:z"]},
            "core": {
                "image": f"goharbor/harbor-core:{self.version}",
                "env_file": ["./common/config/core/env"],
                "volumes": [
                    "/data/:/data/:z",
                    bind("./common/config/core/app.conf", "/etc/core/app.conf"),
                    bind("/data/secret/core/private_key.pem", "/etc/core/private_key.pem"),
                    bind("/data/secret/keys/secretkey", "/etc/core/key"),
                ],
            },
            "registry": {
                "image": f"goharbor/registry-photon:{self.version}",
                "env_file": ["./common/config/registry/env"],
                "volumes": ["/data/registry:/storage:z", "./common/config/registry/:/etc/registry/:z"],
            },
            "registryctl": {
                "image": f"goharbor/harbor-registryctl:{self.version}",
                "env_file": ["./common/config/registryctl/env"],
            },
            "jobservice": {
                "image": f"goharbor/harbor-jobservice:{self.version}",
                "env_file": ["./common/config/jobservice/env"],
            },
            "portal": {"image": f"goharbor/harbor-portal:{self.version}"},
        }
        if self.own_database:
            services["postgresql"] = {"image": f"goharbor/harbor-db:{self.version}"}
        if self.own_redis:
            services["redis"] = {"image": f"goharbor/valkey-photon:{self.version}"}
        return services


def nodes(directory: Path, key: Key, count: int = 2) -> list[Node]:
    return [Node(directory / f"node{number}", key.pem()) for number in range(1, count + 1)]


def bind(source: str, target: str) -> dict[str, str]:
    return {"type": "bind", "source": source, "target": target}


def env(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
