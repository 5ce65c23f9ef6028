"""The proving ground: what breaks pannier on purpose, and sees what is left.

Each laboratory has a bounded form that ``make test`` runs, and a long one behind a target of its
own, which records in docs/reliability.json how much it tried and how much survived.
"""
