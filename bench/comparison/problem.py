"""What a person at the terminal can mend: shown as one message, without a stack."""


class Problem(Exception):
    pass
