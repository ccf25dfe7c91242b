"""What a person says about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from allauth.account.adapter import get_adapter
from django import forms

from webapp.accounts.models import User

if TYPE_CHECKING:
    _UserForm = forms.ModelForm[User]
else:  # generic for the type checker only
    _UserForm = forms.ModelForm


class ProfileForm(_UserForm):
    """Names, and which mails to get."""

    class Meta:
        model = User
        fields: ClassVar = ["username", "first_name", "last_name", "mail_notices"]
        help_texts: ClassVar = {"username": "For signing in, and for others to mention you by.", "mail_notices": ""}

    def clean_username(self) -> str:
        """By the rules of sign-up; the name one has is free for oneself."""
        name = str(self.cleaned_data["username"])
        if self.instance.username.casefold() == name.casefold():
            get_adapter().clean_username(name, shallow=True)
            return name
        return str(get_adapter().clean_username(name))
