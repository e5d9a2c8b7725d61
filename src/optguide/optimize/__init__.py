"""Search for the fastest way to run a reader's own model, and the evidence for it.

::

    run          a whole run, from the model to its report; how it begins, resumes and ends
    phases       what a run does, in order; clock splits its budget, state keeps what it finds
    settings     what the user asked for
    prepared     model and data, ready to be run in every deployment
    given/       the reader's model, data and functions, in whatever form they come
    precisions/  the same model in other precisions: made, and judged against the original
    search/      which deployments to try, the race between them, the final, who wins and why others lost
    portrait     what is told of the winner beside its speed
    outcome      what is reported, as plain data; candidate is what can be chosen
    report/      the outcome as a page, as JSON, and as files to deploy
"""
