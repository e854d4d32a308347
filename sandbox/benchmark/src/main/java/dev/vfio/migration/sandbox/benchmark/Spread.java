package dev.vfio.migration.sandbox.benchmark;

import java.util.List;
import java.util.Locale;

/**
 * What several measurements of one thing say.
 *
 * @param median the middle one
 * @param least the smallest
 * @param most the largest
 */
record Spread(double median, double least, double most) {

  /** Of at least one value. */
  static Spread of(List<Double> values) {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("nothing was measured");
    }
    List<Double> sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    double median =
        sorted.size() % 2 == 1
            ? sorted.get(middle)
            : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    return new Spread(median, sorted.get(0), sorted.get(sorted.size() - 1));
  }

  /** Median, and in brackets the range. */
  String text(String unit) {
    return String.format(Locale.ROOT, "%.2f %s (%.2f to %.2f)", median, unit, least, most);
  }
}
