"""The Celery side that fills photos: claims a job, runs it through the engine, finishes it. Decides nothing else."""
