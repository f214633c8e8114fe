"""Who is told of failures: the file that says so, and the mail that arrives."""

from __future__ import annotations

import asyncio
import json
import logging
import socketserver
import threading

import pytest

from cueflow.flows.serving.automations import load_notify
from cueflow.flows.serving.logs import JsonLines
from cueflow.flows.serving.mail import CueflowMail
from cueflow.flows.serving.secret import AUTH, sign_in
from cueflow.schemas.errors import ConfigError

GOOD = (
    '[webhook]\nurl = "https://example.org/hook"\n[mail]\nhost = "h"\nsender = "a@b"\nto = ["c@d"]\npassword = "word"\n'
)


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_file_says_who_is_told_and_hides_its_secrets(tmp_path):
    found = load_notify(write(tmp_path / "n.toml", GOOD))
    assert found.webhook.url.get_secret_value() == "https://example.org/hook"
    assert (found.mail.host, found.mail.port, found.mail.to) == ("h", 587, ["c@d"])
    assert "example.org" not in repr(found)
    assert "word" not in repr(found).replace("password", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names nobody"),
        ("[webhook]\n", "webhook.url"),
        ('[webhook]\nurl = "x"\nuser = "y"\n', "webhook.user"),
        ('[mail]\nhost = "h"\nsender = "s"\nto = []\n', "mail.to"),
        ("[webhook", "no TOML"),
    ],
)
def test_an_odd_file_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_notify(write(tmp_path / "n.toml", text))


def test_secrets_that_others_may_read_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="chmod 600"):
        load_notify(write(tmp_path / "n.toml", GOOD, 0o644))
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        load_notify(tmp_path / "gone.toml")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name in (AUTH, "PREFECT_API_AUTH_STRING"):
        monkeypatch.setenv(name, "")
    path = sign_in()
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_text()
    monkeypatch.setenv(AUTH, "")
    assert sign_in().read_text() == first  # the same at the next start
    path.chmod(0o644)
    monkeypatch.setenv(AUTH, "")
    with pytest.raises(ConfigError, match="owner only"):
        sign_in()


class Smtp(socketserver.StreamRequestHandler):
    """Takes one mail."""

    got: list[str]

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self.say("354 go on")
                while (part := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    self.got.append(part)
            self.say("221 bye" if line == "QUIT" else "250 fine")

    def say(self, what):
        self.wfile.write(f"{what}\r\n".encode())


def test_a_mail_arrives():
    Smtp.got = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        mail = CueflowMail(host="127.0.0.1", port=port, sender="a@example.org", to=["b@example.org"], tls=False)
        asyncio.run(mail.notify("extract: Failed.", subject="a run\nfailed"))
        server.shutdown()
    assert "Subject: a run failed" in Smtp.got
    assert "To: b@example.org" in Smtp.got
    assert "extract: Failed." in Smtp.got


def test_a_record_becomes_one_line_of_json():
    record = logging.LogRecord("prefect.flow_runs", logging.INFO, __file__, 1, "%d ok\nthere", (2,), None)
    record.flow_run_name = "extract d"
    said = JsonLines("default", None, "%").format(record)
    assert "\n" not in said
    found = json.loads(said)
    assert (found["level"], found["message"], found["flow_run_name"]) == ("INFO", "2 ok\nthere", "extract d")
    assert "pathname" not in found
    assert found["time"].endswith("+00:00")
