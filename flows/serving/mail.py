"""Mail as a way of Prefect's automations to tell somebody; its server finds the class by an entry point."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage

from prefect.blocks.abstract import NotificationBlock
from pydantic import SecretStr

_TIME_LIMIT_S = 30.0


class CueflowMail(NotificationBlock):
    """A mail server, and who writes to whom."""

    _block_type_name = "cueflow mail"
    _block_type_slug = "cueflow-mail"

    host: str
    port: int = 587
    sender: str
    to: list[str]
    user: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = True

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Send one mail.

        Parameters
        ----------
        body : str
            Its text.
        subject : str, optional
            Its subject.
        """
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(self.to)
        message["Subject"] = " ".join((subject or "cueflow").split())
        message.set_content(body)
        await asyncio.to_thread(self._send, message)

    def _send(self, message: EmailMessage) -> None:
        with smtplib.SMTP(self.host, self.port, timeout=_TIME_LIMIT_S) as server:
            if self.tls:
                server.starttls()
            if self.user:
                server.login(self.user, self.password.get_secret_value())
            server.send_message(message)
