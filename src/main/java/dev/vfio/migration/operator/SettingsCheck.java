package dev.vfio.migration.operator;

import static dev.vfio.migration.connections.settings.SettingRules.longerThanNothing;
import static dev.vfio.migration.connections.settings.SettingRules.notNegative;
import static dev.vfio.migration.connections.settings.SettingRules.require;

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
    longerThanNothing("operator.call-timeout", config.callTimeout());
    longerThanNothing("operator.inventory-period", config.inventoryPeriod());
    longerThanNothing("operator.forget-node-after", config.forgetNodeAfter());
    longerThanNothing("operator.lease.retry-period", lease.retryPeriod());
    notNegative("operator.status-interval", config.statusInterval());
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
}
