package dev.vfio.migration.sandbox.benchmark;

import dev.vfio.migration.sandbox.cluster.options.CommandLineReader;
import dev.vfio.migration.sandbox.cluster.options.SizeOption;
import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/**
 * What to measure; {@code usage.txt} of this module is what the script prints of it.
 *
 * @param throughputBytes device state of the throughput runs
 * @param memorySizes device states at which the agents' memory is measured, bytes, rising
 * @param repeats how often each measurement is taken
 * @param streams connections of the state stream
 */
record BenchOptions(long throughputBytes, List<Long> memorySizes, int repeats, int streams) {
  private static final long MEBIBYTE = 1L << 20;
  private static final long GIBIBYTE = 1L << 30;
  private static final int MAX_REPEATS = 20;
  private static final int MAX_STREAMS = 16;

  /** The command line as it was given; what was not is null. */
  static final class Given {
    @Option(names = "--quick")
    private boolean quick;

    @Option(names = "--sizes", split = ",")
    private List<String> sizes;

    @Option(names = "--repeats")
    private Integer repeats;

    @Option(names = "--streams")
    private Integer streams;
  }

  /**
   * Reads the arguments.
   *
   * @throws WrongOptionException where one is unknown, lacks its value, or has one out of range
   */
  static BenchOptions parse(String... arguments) throws WrongOptionException {
    Given given = CommandLineReader.read(new Given(), arguments);
    boolean quick = given.quick;
    List<Long> sizes =
        quick
            ? List.of(64 * MEBIBYTE, 512 * MEBIBYTE)
            : List.of(256 * MEBIBYTE, 2 * GIBIBYTE, 8 * GIBIBYTE);
    return new BenchOptions(
        quick ? 512 * MEBIBYTE : 2 * GIBIBYTE,
        given.sizes == null ? sizes : sizes(given.sizes),
        number("--repeats", given.repeats, quick ? 1 : 3, MAX_REPEATS),
        number("--streams", given.streams, 1, MAX_STREAMS));
  }

  private static int number(String option, Integer given, int otherwise, int max)
      throws WrongOptionException {
    int number = given == null ? otherwise : given;
    if (number < 1 || number > max) {
      throw new WrongOptionException(option + " takes a number from 1 to " + max);
    }
    return number;
  }

  private static List<Long> sizes(List<String> texts) throws WrongOptionException {
    List<Long> sizes = new ArrayList<>();
    for (String text : texts) {
      sizes.add(SizeOption.between("--sizes", text, MEBIBYTE, 8 * GIBIBYTE));
    }
    return sizes.stream().sorted().toList();
  }
}
