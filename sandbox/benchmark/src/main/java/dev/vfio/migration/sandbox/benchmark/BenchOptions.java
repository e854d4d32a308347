package dev.vfio.migration.sandbox.benchmark;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What to measure.
 *
 * @param throughputBytes device state of the throughput runs
 * @param memorySizes device states at which the agents' memory is measured, bytes, rising
 * @param repeats how often each measurement is taken
 * @param streams connections of the state stream
 */
record BenchOptions(long throughputBytes, List<Long> memorySizes, int repeats, int streams) {
  private static final long MEBIBYTE = 1L << 20;
  private static final long GIBIBYTE = 1L << 30;
  private static final long LARGEST = 8 * GIBIBYTE;
  private static final int MOST_REPEATS = 20;
  private static final int MOST_STREAMS = 16;
  private static final Pattern SIZE = Pattern.compile("(\\d{1,7})(MiB|GiB)");

  static final String USAGE =
      """
      usage: sandbox/bench [option...]

      Moves incompressible device state between two agent processes on this machine and, in the same run, copies
      as many bytes through a plain loopback socket and through a plain TLS 1.3 socket of the same library.

        --quick           a quarter of the bytes, each once: a first impression in about a minute
        --sizes LIST      states at which the agents' memory is measured (256MiB,2GiB,8GiB)
        --repeats COUNT   how often each measurement is taken, 1 to 20   (3)
        --streams COUNT   connections of the state stream, 1 to 16       (1)
        --help            this text
      """;

  static BenchOptions full() {
    return new BenchOptions(
        2 * GIBIBYTE, List.of(256 * MEBIBYTE, 2 * GIBIBYTE, 8 * GIBIBYTE), 3, 1);
  }

  /**
   * Reads the arguments.
   *
   * @throws IllegalArgumentException with a message for the user
   */
  static BenchOptions parse(String... arguments) {
    BenchOptions options = full();
    Deque<String> left = new ArrayDeque<>(Arrays.asList(arguments));
    while (!left.isEmpty()) {
      String option = left.removeFirst();
      options =
          switch (option) {
            case "--quick" ->
                new BenchOptions(
                    512 * MEBIBYTE, List.of(64 * MEBIBYTE, 512 * MEBIBYTE), 1, options.streams);
            case "--sizes" ->
                new BenchOptions(
                    options.throughputBytes,
                    sizes(value(option, left)),
                    options.repeats,
                    options.streams);
            case "--repeats" ->
                new BenchOptions(
                    options.throughputBytes,
                    options.memorySizes,
                    number(option, value(option, left), MOST_REPEATS),
                    options.streams);
            case "--streams" ->
                new BenchOptions(
                    options.throughputBytes,
                    options.memorySizes,
                    options.repeats,
                    number(option, value(option, left), MOST_STREAMS));
            default -> throw new IllegalArgumentException("there is no option " + option);
          };
    }
    return options;
  }

  private static String value(String option, Deque<String> left) {
    if (left.isEmpty()) {
      throw new IllegalArgumentException(option + " needs a value");
    }
    return left.removeFirst();
  }

  private static int number(String option, String text, int most) {
    if (!text.matches("\\d{1,3}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > most) {
      throw new IllegalArgumentException(option + " takes a number from 1 to " + most);
    }
    return Integer.parseInt(text);
  }

  private static List<Long> sizes(String list) {
    List<Long> sizes = new ArrayList<>();
    for (String text : list.split(",")) {
      Matcher matcher = SIZE.matcher(text);
      if (!matcher.matches()) {
        throw new IllegalArgumentException(
            "--sizes takes sizes like 256MiB,2GiB; '" + text + "' is none");
      }
      long unit = matcher.group(2).equals("GiB") ? GIBIBYTE : MEBIBYTE;
      long size = Long.parseLong(matcher.group(1)) * unit;
      if (size < MEBIBYTE || size > LARGEST) {
        throw new IllegalArgumentException("--sizes: " + text + " is out of range, 1MiB to 8GiB");
      }
      sizes.add(size);
    }
    return sizes.stream().sorted().toList();
  }
}
