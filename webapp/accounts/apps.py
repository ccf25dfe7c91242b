from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "webapp.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.account.decorators import secure_admin_login
        from django.contrib import admin

        from webapp import checks

        checks.register_all()
        # The admin signs in by the same page as everybody, so that its limits against guessing hold there too.
        admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
