"""Logs: JSON lines for machines, or text on a terminal. Secrets are never handed to a logger."""

import contextlib
import logging
import logging.config
import sys
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class EnduringLogger(structlog.WriteLogger):
    """Where the log's disk is full or gone, a line is lost and not the request that it tells of.

    A line and its end are one write, so that those of several workers stay apart where nothing is buffered.
    """

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def configure(level: str, form: str) -> None:
    structlog.configure(
        processors=[*_facts(form), _renderer(form)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: EnduringLogger(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_lines(form))


def _lines(form: str) -> dict[str, Any]:
    """What libraries say, in the same form and place as our own."""
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "lines"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "mooring.observe.logs.formatter", "form": form}},
        "handlers": {"lines": handler},
        "root": {"handlers": ["lines"], "level": "WARNING"},
    }


def formatter(form: str) -> logging.Formatter:
    ending = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)]
    return structlog.stdlib.ProcessorFormatter(processors=ending, foreign_pre_chain=_facts(form))


def _facts(form: str) -> list[Processor]:
    # The values of local variables stay out, here and below: they may be passwords, and may be large.
    traces = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    said: list[Processor] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    return said if _is_text(form) else [*said, traces]


def _renderer(form: str) -> Processor:
    if _is_text(form):
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer()


def _is_text(form: str) -> bool:
    return form == "text" or (form == "auto" and sys.stderr.isatty())
