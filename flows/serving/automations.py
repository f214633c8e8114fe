"""What Prefect does by itself: runs of dead workers are marked, failures are told.

Made anew at each start of the server, under fixed names: nothing piles up.
"""

from __future__ import annotations

import asyncio
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cueflow.schemas.errors import ConfigError

# A flow run says every 30 s that it is alive (PREFECT_FLOWS_HEARTBEAT_FREQUENCY); after this silence it is dead.
SILENCE_S = 75.0
# Between being given to a worker and running a run says nothing, and a cold machine loads libraries for minutes.
START_S = 300.0
DEAD, STUCK, TOLD = "cueflow: runs of dead workers", "cueflow: runs that never start", "cueflow: tell failures"
_RUNS = ["prefect.flow-run.*"]
_STATES = (
    "Running",
    "Completed",
    "Failed",
    "Cancelled",
    "Crashed",
    "Cancelling",
    "Paused",
    "Suspended",
    "Scheduled",
    "AwaitingRetry",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WebhookTo(_Part):
    """Where to post a JSON text to."""

    url: SecretStr


class MailTo(_Part):
    """Mail server, and who writes to whom."""

    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str
    to: list[str] = Field(min_length=1)
    user: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = True


class Notify(_Part):
    """Who is told of failed and crashed runs."""

    webhook: WebhookTo | None = None
    mail: MailTo | None = None


def load_notify(path: Path) -> Notify:
    """Read the file that says who is told; it holds secrets, so only its owner may read it.

    Parameters
    ----------
    path : Path
        TOML with `[webhook]` (url) and `[mail]` (host, port, sender, to, user, password, tls).

    Returns
    -------
    Notify

    Raises
    ------
    ConfigError
        If it cannot be read, others may read it, or a field is missing or unknown.
    """
    try:
        raw = path.read_text(encoding="utf-8")
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path.name} holds secrets and may be read by others: chmod 600")
        found = Notify.model_validate(tomllib.loads(raw))
    except OSError as error:
        raise ConfigError(f"{path.name}: {error.strerror or 'cannot be read'}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is no TOML file") from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ConfigError(f"{path.name}: {where}: {error.errors()[0]['msg']}") from error
    if found == Notify():
        raise ConfigError(f"{path.name} names nobody: give [webhook] or [mail]")
    return found


def automate(notify: Notify | None) -> None:
    """Create what the server does by itself.

    Parameters
    ----------
    notify : Notify or None
        Who is told of failures; None: nobody.
    """
    asyncio.run(_automate(notify))


async def _automate(notify: Notify | None) -> None:
    from prefect.automations import Automation
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        for old in await client.read_automations():
            if old.name in {DEAD, STUCK, TOLD}:
                await client.delete_automation(old.id)
    made = [
        Automation(name=DEAD, trigger=_silent({"Running", "heartbeat"}, SILENCE_S), actions=[_crashed()]),
        Automation(name=STUCK, trigger=_silent({"Pending"}, START_S), actions=[_crashed()]),
    ]
    if notify is not None:
        made.append(Automation(name=TOLD, trigger=_failed(), actions=await _telling(notify)))
    for automation in made:
        await automation.acreate()


def _silent(after: set[str], seconds: float) -> Any:  # noqa: ANN401 - Prefect's own type, imported late
    """A run of which nothing is heard for so long after one of these events."""
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    return EventTrigger(
        after={f"prefect.flow-run.{event}" for event in after},
        expect={f"prefect.flow-run.{event}" for event in ("heartbeat", *_STATES)},
        match=ResourceSpecification({"prefect.resource.id": _RUNS}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=seconds),
    )


def _crashed() -> Any:  # noqa: ANN401 - Prefect's own type, imported late
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState

    message = "Its worker died. What it wrote is whole; the next run goes on from there."
    return ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message, force=False)


def _failed() -> Any:  # noqa: ANN401 - Prefect's own type, imported late
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    return EventTrigger(
        expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
        match=ResourceSpecification({"prefect.resource.id": _RUNS}),
        posture=Posture.Reactive,
        threshold=1,
    )


_WORDS = 'flow_run.name ~ " of " ~ flow.name ~ ": " ~ flow_run.state.name ~ ". " ~ (flow_run.state.message or "")'


async def _telling(notify: Notify) -> list[Any]:
    from prefect.blocks.fields import SecretDict
    from prefect.blocks.webhook import Webhook
    from prefect.events.actions import CallWebhook, SendNotification

    from cueflow.flows.serving.mail import CueflowMail

    actions: list[Any] = []
    if notify.webhook is not None:
        hook = Webhook(method="POST", url=notify.webhook.url, headers=SecretDict({"content-type": "application/json"}))
        saved = await hook.asave("cueflow-failures", overwrite=True)
        payload = '{"text": {{ (' + _WORDS + ") | tojson }} }"
        actions.append(CallWebhook(block_document_id=saved, payload=payload))
    if notify.mail is not None:
        mail = CueflowMail(**notify.mail.model_dump())
        saved = await mail.asave("cueflow-failures-mail", overwrite=True)
        actions.append(
            SendNotification(block_document_id=saved, subject="cueflow: a run failed", body="{{ " + _WORDS + " }}")
        )
    return actions
