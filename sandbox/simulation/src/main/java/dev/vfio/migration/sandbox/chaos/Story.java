package dev.vfio.migration.sandbox.chaos;

/** What happened in a schedule that breaks a rule, with only the faults that are needed for it. */
final class Story {
  private Story() {}

  static String of(Schedule violation) {
    Schedule least = new Minimiser(Schedule::run).minimise(violation);
    Schedule.Result shortest = least.run();
    return String.format(
        "seed %d breaks a rule, with %d faults of %d:%n%s",
        least.seed(),
        shortest.faults()
            - least.leftOut().stream().filter(fault -> fault < shortest.faults()).count(),
        violation.run().faults(),
        shortest.violation().orElseThrow());
  }
}
