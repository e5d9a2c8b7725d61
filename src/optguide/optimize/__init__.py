"""Search for the fastest way to run a reader's own model, and the evidence for it.

::

    pipeline       a whole run, from the model to its report; how it begins, resumes and ends
    phases         what a run does, in order; budget is how its time is split
    decision       what follows from a state: the winner, gains, warnings, sentences
    outcome        state and decision, as plain data; state is how a state is kept on disk
    candidate      what the user asked for and what can be chosen
    prepared       model and data, ready to be run in every deployment
    data/, model/  the reader's data and model, in whatever form they come
    compression/   the same model in other precisions; evaluation/ compares their answers with the original's
    search/        which deployments to try, the race between them, the confirmation run, who wins and why
    model_profile  what is measured of the winner beside its speed
    report/        the outcome as a page, as JSON, as files to deploy, and as results of the guide
"""
