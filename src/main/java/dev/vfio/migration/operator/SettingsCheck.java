package dev.vfio.migration.operator;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Refuses settings that can be read and cannot work, each by its name, before anything is begun.
 */
final class SettingsCheck {
  private SettingsCheck() {}

  /**
   * @throws IllegalArgumentException naming the setting, its value and what it may be
   */
  static void check(OperatorConfig config) {
    OperatorConfig.Lease lease = config.lease();
    Map<String, Duration> durations = new LinkedHashMap<>();
    durations.put("operator.call-timeout", config.callTimeout());
    durations.put("operator.inventory-period", config.inventoryPeriod());
    durations.put("operator.forget-node-after", config.forgetNodeAfter());
    durations.put("operator.lease.retry-period", lease.retryPeriod());
    durations.forEach(
        (name, duration) ->
            require(
                !duration.isNegative() && !duration.isZero(),
                name,
                duration,
                "must be longer than nothing, such as 10s"));
    require(
        !config.statusInterval().isNegative(),
        "operator.status-interval",
        config.statusInterval(),
        "must not be negative");
    require(
        lease.renewDeadline().compareTo(lease.retryPeriod()) > 0,
        "operator.lease.renew-deadline",
        lease.renewDeadline(),
        "must be longer than operator.lease.retry-period (" + lease.retryPeriod() + ")");
    require(
        lease.duration().compareTo(lease.renewDeadline()) > 0,
        "operator.lease.duration",
        lease.duration(),
        "must be longer than operator.lease.renew-deadline (" + lease.renewDeadline() + ")");
  }

  private static void require(boolean fine, String name, Object value, String rule) {
    if (!fine) {
      throw new IllegalArgumentException(name + " is '" + value + "': it " + rule);
    }
  }
}
