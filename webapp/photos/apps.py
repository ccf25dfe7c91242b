from django.apps import AppConfig


class PhotosConfig(AppConfig):
    name = "webapp.photos"
    default_auto_field = "django.db.models.BigAutoField"
