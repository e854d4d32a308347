package dev.vfio.migration.sandbox.cluster.rounds;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** A value with a name that people write on the command line and read in the outcome. */
public interface Labels {
  String label();

  /** The value with that label. */
  static <T extends Labels> Optional<T> find(T[] values, String label) {
    return Arrays.stream(values).filter(value -> value.label().equals(label)).findFirst();
  }

  /** All labels, for messages. */
  static List<String> of(Labels[] values) {
    return Arrays.stream(values).map(Labels::label).toList();
  }
}
