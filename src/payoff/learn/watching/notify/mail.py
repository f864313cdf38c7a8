"""Mail: alerts by e-mail."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import make_msgid

from payoff.core.errors import ServiceError
from payoff.learn.watching.notify.channel import Message

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LAST_PORT = 65_535


class Mail:
    """Sends mail through a server of one's own, encrypted by STARTTLS.

    A server on this machine may do without encryption; any other must offer it, and no password
    is ever sent without.

    Args:
        to: Who is told.
        server: ``HOST`` or ``HOST:PORT``; port 587 where none is given.
        sender: Who it comes from; ``to`` where empty.
        user: To log in with; nobody logs in where it is empty.
        password: Of the user.
        timeout_s: Of each step.
        context: Whom to trust; the system's certificates where None.

    Raises:
        ServiceError: PF749 where an address is none.

    Example:
        >>> Mail("ops@example.com", server="mail.example.com").name
        'mail ops@example.com'
    """

    def __init__(
        self,
        to: str,
        *,
        server: str,
        sender: str = "",
        user: str = "",
        password: str = "",
        timeout_s: float = 10.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        host, _, port = server.rpartition(":") if ":" in server else (server, "", "587")
        for address in (to, sender or to):
            if address.count("@") != 1 or any(sign in address for sign in " \r\n,;<>"):
                raise ServiceError(
                    "PF749", "mail", f"'{address[:100]!a}' is no address", expected="NAME@HOST"
                )
        if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) <= _LAST_PORT:
            raise ServiceError("PF749", "mail", f"server '{server[:100]}'", expected="HOST:PORT")
        self._to, self._sender = to, sender or to
        self._host, self._port = host.strip("[]"), int(port)
        self._user, self._password = user, password
        self._timeout_s = timeout_s
        self._context = context

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return f"mail {self._to}"

    def send(self, message: Message) -> None:
        """Send the message.

        Raises:
            ServiceError: PF748 where the server did not take it.
        """
        try:
            with smtplib.SMTP(self._host, self._port, timeout=self._timeout_s) as server:
                server.ehlo()
                if server.has_extn("starttls"):
                    context = self._context or ssl.create_default_context()
                    server.starttls(context=context)
                    server.ehlo()
                elif self._user or self._host not in _LOOPBACK:
                    raise self._failed("it offers no encryption (STARTTLS)")
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(self._letter(message))
        # UnicodeError: a name of a machine that cannot be spelt, or a password beyond ASCII.
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            told = str(error).replace(self._password, "…") if self._password else str(error)
            raise self._failed(f"{type(error).__name__}: {told}"[:200]) from error

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"] = " ".join(message.subject.split())
        letter["From"], letter["To"] = self._sender, self._to
        letter["Message-ID"] = make_msgid(f"payoff-{message.number}", self._sender.split("@")[1])
        letter.set_content(message.body)
        return letter

    def _failed(self, reason: str) -> ServiceError:
        return ServiceError(
            "PF748",
            f"{self.name} by {self._host}:{self._port}",
            reason,
            mend="Check server, user and password; it is tried again at the next look.",
        )
