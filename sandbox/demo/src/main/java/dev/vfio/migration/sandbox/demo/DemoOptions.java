package dev.vfio.migration.sandbox.demo;

import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the user asked of {@code ./demo}. This file uses nothing but the JDK: the script runs it as
 * a single source file, so that a wrong option is refused before anything is built.
 *
 * @param keep leave the cluster up at the end
 * @param stateSize bytes of device state
 * @param dirtyRate bytes of device state per second that the device makes dirty
 * @param downtimeLimit a Go-style duration for spec.convergence.downtimeLimit, or empty for what
 *     the example says
 * @param cancelAt device state of the source in which the migration is cancelled, if any
 * @param failAt device state in which a device fails, if any
 */
public record DemoOptions(
    boolean keep,
    long stateSize,
    long dirtyRate,
    Optional<String> downtimeLimit,
    Optional<SourceState> cancelAt,
    Optional<FailingState> failAt) {

  /** Where a migration can still be cancelled. */
  public enum SourceState {
    SETUP,
    PRECOPY,
    STOPNCOPY
  }

  /** Where a device can be told to fail. */
  public enum FailingState {
    SETUP(true),
    PRECOPY(true),
    STOPNCOPY(true),
    RESUME(false),
    RESUME_COMPLETED(false);

    private final boolean atSource;

    FailingState(boolean atSource) {
      this.atSource = atSource;
    }

    /** Whether it is the source's device that fails. */
    public boolean atSource() {
      return atSource;
    }
  }

  /** An option that cannot be understood; the message is for the user. */
  public static final class BadOption extends Exception {
    private static final long serialVersionUID = 1L;

    BadOption(String message) {
      super(message);
    }
  }

  private static final long MEBIBYTE = 1L << 20;
  private static final long SMALLEST_STATE = 1L << 10;
  private static final long LARGEST_STATE = 8L << 30;
  private static final long LONGEST_LIMIT_MILLIS = 600_000;
  private static final Pattern SIZE = Pattern.compile("(\\d{1,15})(B|[KMG]iB?)?(/s)?");
  private static final Pattern DURATION_PART = Pattern.compile("(\\d{1,9})(ms|s|m)");

  public static final String USAGE =
      """
      usage: ./demo [option...]

      Builds what is needed, starts a sandbox cluster of separate processes (API server, operator, two node
      agents, two simulated devices), applies examples/devicemigration.yaml and follows the migration.
      The last line is "RESULT phase=... transferredBytes=... dirtyPages=... downtimeMs=... continuity=...".

        --state-size SIZE          device state to move, 1KiB to 8GiB              (128MiB)
        --dirty-rate RATE          device state made dirty a second, 0 to 8GiB     (8MiB)
        --downtime-limit DURATION  spec.convergence.downtimeLimit, 1ms to 10m      (as in the example)
        --cancel-at STATE          cancel when the source device is in SETUP, PRECOPY or STOPNCOPY
        --fail-at STATE            make the source's device fail in SETUP, PRECOPY or STOPNCOPY,
                                   or the destination's in RESUME or RESUME_COMPLETED
        --keep                     leave the cluster up and print how to use kubectl with it
        --stop                     end a cluster that was left up
        --help                     this text

      The exit code is 0 exactly when the migration ended as asked: Succeeded, or Cancelled with --cancel-at,
      or Failed with --fail-at, each with the workload running on one side and not a byte lost.
      """;

  /**
   * Reads the arguments.
   *
   * @throws BadOption where one is unknown, lacks its value, or has one out of range
   */
  public static DemoOptions parse(String... arguments) throws BadOption {
    boolean keep = false;
    long stateSize = 128 * MEBIBYTE;
    long dirtyRate = 8 * MEBIBYTE;
    Optional<String> downtimeLimit = Optional.empty();
    Optional<SourceState> cancelAt = Optional.empty();
    Optional<FailingState> failAt = Optional.empty();
    Deque<String> left = new ArrayDeque<>(Arrays.asList(arguments));
    while (!left.isEmpty()) {
      String argument = left.removeFirst();
      int equals = argument.indexOf('=');
      String option = equals < 0 ? argument : argument.substring(0, equals);
      if (equals >= 0) {
        left.addFirst(argument.substring(equals + 1));
      }
      switch (option) {
        case "--keep" -> {
          if (equals >= 0) {
            throw new BadOption("--keep takes no value");
          }
          keep = true;
        }
        case "--state-size" ->
            stateSize = size(option, value(option, left), SMALLEST_STATE, LARGEST_STATE);
        case "--dirty-rate" -> dirtyRate = size(option, value(option, left), 0, LARGEST_STATE);
        case "--downtime-limit" ->
            downtimeLimit = Optional.of(duration(option, value(option, left)));
        case "--cancel-at" ->
            cancelAt = Optional.of(state(option, value(option, left), SourceState.class));
        case "--fail-at" ->
            failAt = Optional.of(state(option, value(option, left), FailingState.class));
        case "--stop", "--help" -> throw new BadOption(option + " stands alone");
        default -> throw new BadOption("there is no option " + option);
      }
    }
    if (cancelAt.isPresent() && failAt.isPresent()) {
      throw new BadOption("--cancel-at and --fail-at exclude each other: a migration ends once");
    }
    return new DemoOptions(keep, stateSize, dirtyRate, downtimeLimit, cancelAt, failAt);
  }

  private static String value(String option, Deque<String> left) throws BadOption {
    if (left.isEmpty() || left.peekFirst().isEmpty() || left.peekFirst().startsWith("--")) {
      throw new BadOption(option + " needs a value");
    }
    return left.removeFirst();
  }

  private static long size(String option, String text, long smallest, long largest)
      throws BadOption {
    OptionalLong bytes = bytes(text);
    if (bytes.isEmpty()) {
      throw new BadOption(
          option + ": '" + text + "' is no size; a size is a whole number with B, KiB, MiB or GiB");
    }
    if (bytes.getAsLong() < smallest || bytes.getAsLong() > largest) {
      throw new BadOption(
          option + ": " + text + " is out of range, " + smallest + " to " + largest + " bytes");
    }
    return bytes.getAsLong();
  }

  private static OptionalLong bytes(String text) {
    Matcher matcher = SIZE.matcher(text);
    if (!matcher.matches()) {
      return OptionalLong.empty();
    }
    String unit = matcher.group(2) == null ? "B" : matcher.group(2);
    int shift =
        switch (unit.charAt(0)) {
          case 'K' -> 10;
          case 'M' -> 20;
          case 'G' -> 30;
          default -> 0;
        };
    long number = Long.parseLong(matcher.group(1));
    return number > Long.MAX_VALUE >> shift
        ? OptionalLong.of(Long.MAX_VALUE)
        : OptionalLong.of(number << shift);
  }

  private static String duration(String option, String text) throws BadOption {
    Matcher matcher = DURATION_PART.matcher(text);
    long millis = 0;
    int end = 0;
    while (matcher.find() && matcher.start() == end) {
      long number = Long.parseLong(matcher.group(1));
      millis +=
          switch (matcher.group(2)) {
            case "m" -> number * 60_000;
            case "s" -> number * 1000;
            default -> number;
          };
      end = matcher.end();
    }
    if (end != text.length()) {
      throw new BadOption(
          option + ": '" + text + "' is no duration; a duration is like 300ms, 2s or 1m30s");
    }
    if (millis < 1 || millis > LONGEST_LIMIT_MILLIS) {
      throw new BadOption(option + ": " + text + " is out of range, 1ms to 10m");
    }
    return text;
  }

  private static <E extends Enum<E>> E state(String option, String text, Class<E> states)
      throws BadOption {
    for (E state : states.getEnumConstants()) {
      if (state.name().equals(text)) {
        return state;
      }
    }
    throw new BadOption(
        option
            + ": '"
            + text
            + "' is not possible; it takes one of "
            + Arrays.toString(states.getEnumConstants()).replaceAll("[\\[\\]]", ""));
  }

  /**
   * The script's check: says what is wrong with the arguments and ends with exit code 2, or says
   * nothing and ends with 0. Alone, {@code --help} prints the usage.
   */
  public static void main(String[] arguments) {
    if (Arrays.asList(arguments).equals(List.of("--help"))) {
      System.out.print(USAGE);
      return;
    }
    try {
      parse(arguments);
    } catch (BadOption e) {
      refuse(e, System.err);
      System.exit(2);
    }
  }

  static void refuse(BadOption why, PrintStream out) {
    out.println(
        "demo: " + why.getMessage() + "; nothing was started (./demo --help lists the options)");
  }
}
