"""The kubectl plugin: `kubectl ecs-release ...`.

How it is made, for whoever adds a command:

- A command is a module in `commands/`, named in the one table `command_registry.COMMANDS` with its line of help
  (`import` is `import_.py`: a dash or a keyword's underscore in the module's name is taken care of there). It has two functions:

      configure(parser: argparse.ArgumentParser) -> None    # its own flags; those of kubectl are on the parser already
      run(session: Session, arguments: argparse.Namespace) -> int    # returns the exit code

  Modules are imported only for the command that is named, so they may import what they like at their top.
- `Session` provides everything else, each created on first use: `session.api` (the API server), `session.namespace`,
  `session.all_namespaces`, `session.out` (data on stdout, messages on stderr, colours or not), `session.now()`.
- Errors are raised as `terminal.errors.CommandError` with a message of one line that says what to do; `main` prints
  `error: ...` and returns 1, as kubectl does, and never a traceback.
- Flags that several commands share are in `client.flags`: `add_output`, `add_project`, ...
- Computations are pure functions in modules of their own; the command prints their result.

Exit codes: 0 done (of `status`: Ready), 1 an error (of `status`: also Stalled), 2 only of `status`: not there yet, or not in time,
130 interrupted.
"""
