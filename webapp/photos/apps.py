from django.apps import AppConfig


class PhotosConfig(AppConfig):
    name = "webapp.photos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from webapp.photos.files import remove_file_with_row
        from webapp.photos.models import Draft, Mask, Overlay, Rendition, SourceMap, Version

        for model in (Version, Mask, Rendition, Draft, Overlay, SourceMap):
            post_delete.connect(remove_file_with_row, sender=model, dispatch_uid=f"{model.__name__} file")
