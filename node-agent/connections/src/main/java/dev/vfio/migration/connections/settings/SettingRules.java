package dev.vfio.migration.connections.settings;

import java.time.Duration;

/** Refuses settings that can be read and cannot work, each by its name. */
public final class SettingRules {
  private SettingRules() {}

  /**
   * @param rule goes on after "it", as {@code must be 1 or more}
   * @throws IllegalArgumentException naming the setting, its value and the rule, unless {@code
   *     fine}
   */
  public static void require(boolean fine, String name, Object value, String rule) {
    if (!fine) {
      throw new IllegalArgumentException(name + " is '" + value + "': it " + rule);
    }
  }

  /** Requires a duration longer than zero. */
  public static void longerThanNothing(String name, Duration value) {
    require(
        !value.isNegative() && !value.isZero(),
        name,
        value,
        "must be longer than nothing, such as 10s");
  }

  /** Requires a duration of zero or more. */
  public static void notNegative(String name, Duration value) {
    require(!value.isNegative(), name, value, "must not be negative");
  }
}
