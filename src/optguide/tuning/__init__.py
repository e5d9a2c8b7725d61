"""Search for the fastest way to run a reader's own model, and the evidence for it.

::

    subject   the model as it is given, and its form as 32-bit IR
    data      samples and labels that fit it
    metrics   how right its answers are
    making    the same model in other precisions, each made in a process of its own
    judging   what each of them loses
    space     which deployments are worth trying
    race      candidates against the leader, until the budget is spent
    state     what a run has found out so far, on disk
    run       all of it in order
    outcome   what is reported
    report/   the outcome as a page, as JSON, and as files to deploy
"""
