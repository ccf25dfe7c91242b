from django.apps import AppConfig


class EvaluationsConfig(AppConfig):
    name = "webapp.evaluations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from webapp.evaluations.models import EvaluationFile, Unit
        from webapp.photos.files import remove_file_with_row

        post_delete.connect(remove_file_with_row, sender=EvaluationFile, dispatch_uid="EvaluationFile file")
        post_delete.connect(remove_unit_files, sender=Unit, dispatch_uid="Unit files")


def remove_unit_files(sender: type, instance: object, using: str, **kwargs: object) -> None:
    """Receiver of ``post_delete``: a unit's photo and its outcome go once the deletion is committed."""
    from functools import partial

    from django.db import transaction

    from webapp.evaluations.models import Unit
    from webapp.photos.files import remove_file

    if not isinstance(instance, Unit):
        return
    for file in (instance.photo, instance.outcome):
        if file:
            transaction.on_commit(partial(remove_file, file.storage, str(file.name)), using=using, robust=True)
