"""The Geneva minimalistic acoustic parameter set (eGeMAPSv02)."""
