"""Counts what the parity scripts check: a line for each failure, and the line that says how it went."""

passed, failed = 0, 0


def check(name, condition, detail=""):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name} {detail}")


def finish():
    """Prints the closing line; the exit status."""
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
