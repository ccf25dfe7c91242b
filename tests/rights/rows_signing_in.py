"""allauth's pages. Guests are visitors there; accounts that are signed in already are sent on."""

from __future__ import annotations

from tests.rights.table import ACCOUNTS, ANYBODY, Row, form

# Whoever has no account may not, and an account without two-factor sign-in has none to look at: it is sent elsewhere.
_ELSEWHERE = (302, 404)

ROWS = [
    Row("GET accounts/login/", ANYBODY),
    Row("POST accounts/login/", ANYBODY, form(login="nobody", password="wrong-password")),
    Row("GET accounts/logout/", ANYBODY),
    Row("POST accounts/logout/", ANYBODY),
    Row("GET accounts/signup/", ANYBODY),
    Row("POST accounts/signup/", ANYBODY, form(username="x")),
    Row("GET accounts/inactive/", ANYBODY),
    Row("GET accounts/confirm-email/", ANYBODY),
    Row("GET accounts/confirm-email/{key}/", ANYBODY, arguments={"key": "made-up"}),
    Row("POST accounts/confirm-email/{key}/", ANYBODY, answers=(404,), arguments={"key": "made-up"}),
    Row("GET accounts/password/reset/", ANYBODY),
    Row("POST accounts/password/reset/", ANYBODY, form(email="nobody@example.org")),
    Row("GET accounts/password/reset/done/", ANYBODY),
    Row("GET accounts/password/reset/key/done/", ANYBODY),
    Row("GET accounts/password/reset/key/{uidb36}-{key}/", ANYBODY, arguments={"uidb36": "1", "key": "made-up"}),
    Row("POST accounts/password/reset/key/{uidb36}-{key}/", ANYBODY, arguments={"uidb36": "1", "key": "made-up"}),
    Row("GET accounts/login/code/confirm/", ANYBODY),
    Row("POST accounts/login/code/confirm/", ANYBODY),
    Row("GET accounts/reauthenticate/", ACCOUNTS),
    Row("POST accounts/reauthenticate/", ACCOUNTS, form(password="wrong-password")),
    Row("GET accounts/email/", ACCOUNTS),
    Row("POST accounts/email/", ACCOUNTS, form(action_add="", email="nothing")),
    Row("GET accounts/password/change/", ACCOUNTS),
    Row("POST accounts/password/change/", ACCOUNTS, form(oldpassword="wrong")),
    Row("GET accounts/password/set/", ACCOUNTS),
    Row("POST accounts/password/set/", ACCOUNTS, form(password1="x", password2="y")),
    Row("GET accounts/2fa/", ACCOUNTS),
    Row("GET accounts/2fa/authenticate/", ANYBODY),
    Row("POST accounts/2fa/authenticate/", ANYBODY),
    Row("GET accounts/2fa/reauthenticate/", ACCOUNTS, answers=_ELSEWHERE),
    Row("POST accounts/2fa/reauthenticate/", ACCOUNTS, answers=_ELSEWHERE),
    Row("GET accounts/2fa/totp/activate/", ACCOUNTS),
    Row("POST accounts/2fa/totp/activate/", ACCOUNTS, form(code="000000")),
    Row("GET accounts/2fa/totp/deactivate/", ACCOUNTS, answers=_ELSEWHERE),
    Row("POST accounts/2fa/totp/deactivate/", ACCOUNTS, answers=_ELSEWHERE),
    Row("GET accounts/2fa/recovery-codes/", ACCOUNTS, answers=_ELSEWHERE),
    Row("GET accounts/2fa/recovery-codes/generate/", ACCOUNTS, answers=_ELSEWHERE),
    Row("POST accounts/2fa/recovery-codes/generate/", ACCOUNTS, answers=_ELSEWHERE),
    Row("GET accounts/2fa/recovery-codes/download/", ACCOUNTS, answers=_ELSEWHERE),
    Row("GET accounts/sessions/", ACCOUNTS),
    Row("POST accounts/sessions/", ACCOUNTS),
]
