package dev.vfio.migration.sandbox.demo;

import java.util.Optional;

/**
 * How the migration is to end, and the faults that the devices need for that.
 *
 * @param phase the terminal phase
 * @param sourceFault for the source's device, as the device process takes it
 * @param destinationFault for the destination's device
 */
record Expectation(String phase, Optional<String> sourceFault, Optional<String> destinationFault) {
  private static final int EIO = 5;

  /** How long a device takes for its next step, so that there is time to cancel before it. */
  private static final int LINGER_MILLIS = 2000;

  static Expectation of(DemoOptions options) {
    if (options.cancelAt().isPresent()) {
      return cancelled(options.cancelAt().get());
    }
    if (options.failAt().isPresent()) {
      return failed(options.failAt().get(), options.stateSize());
    }
    return new Expectation("Succeeded", Optional.empty(), Optional.empty());
  }

  /** SETUP and STOPNCOPY are short: the device that ends them is made slow. */
  private static Expectation cancelled(DemoOptions.SourceState state) {
    return switch (state) {
      case SETUP -> new Expectation("Cancelled", Optional.of(slow("PRECOPY")), Optional.empty());
      case PRECOPY -> new Expectation("Cancelled", Optional.empty(), Optional.empty());
      case STOPNCOPY ->
          new Expectation("Cancelled", Optional.empty(), Optional.of(slow("RESUME_COMPLETED")));
    };
  }

  private static String slow(String state) {
    return "stall=" + state + ":" + LINGER_MILLIS;
  }

  private static Expectation failed(DemoOptions.FailingState state, long stateSize) {
    String fault =
        state == DemoOptions.FailingState.RESUME
            ? "fail-buffer=RESUME@" + stateSize / 2 + ":" + EIO
            : "fail-transition=" + state + ":" + EIO;
    return state.atSource()
        ? new Expectation("Failed", Optional.of(fault), Optional.empty())
        : new Expectation("Failed", Optional.empty(), Optional.of(fault));
  }

  boolean moved() {
    return phase.equals("Succeeded");
  }
}
