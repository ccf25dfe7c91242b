from django.apps import AppConfig


class GalleriesConfig(AppConfig):
    name = "webapp.galleries"
    default_auto_field = "django.db.models.BigAutoField"
