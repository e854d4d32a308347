package dev.vfio.migration.agent.machine;

import java.time.Duration;

/**
 * How long sessions wait, how often they try again, and in what portions they work.
 *
 * @param batchBytes bytes copied before a waiting command gets its turn
 * @param shortestRound precopy rounds do not follow each other faster than this
 * @param longestRest the longest rest between precopy rounds that find nothing to do
 * @param dryRetry time between two looks at a stopped device that has bytes pending and hands none
 *     out
 * @param dryRetries how often that is tried
 * @param loadedTimeout how long a source listens for the destination's word
 * @param retry time between two tries of what must succeed in the end
 * @param retries how often it is tried before a person is asked
 * @param tick time between two progress reports of a destination
 */
public record Timings(
    long batchBytes,
    Duration shortestRound,
    Duration longestRest,
    Duration dryRetry,
    int dryRetries,
    Duration loadedTimeout,
    Duration retry,
    int retries,
    Duration tick) {

  /**
   * How long a destination listens for the source. Nobody may be left who would end its session:
   * what prepared it may have come late, after the migration had ended.
   */
  Duration listening() {
    return loadedTimeout;
  }

  /** Time between two looks at what is loaded, while the decision is awaited. */
  Duration look() {
    return retry.multipliedBy(2);
  }

  /** How long what is loaded may not be found out before that is reported. */
  Duration doubt() {
    return look().multipliedBy(retries);
  }

  public static final Timings USUAL =
      new Timings(
          64L << 20,
          Duration.ofMillis(10),
          Duration.ofMillis(160),
          Duration.ofMillis(10),
          1000,
          Duration.ofMinutes(10),
          Duration.ofMillis(250),
          20,
          Duration.ofMillis(200));
}
