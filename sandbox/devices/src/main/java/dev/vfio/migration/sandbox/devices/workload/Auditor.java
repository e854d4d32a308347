package dev.vfio.migration.sandbox.devices.workload;

import dev.vfio.migration.sandbox.devices.device.AuditResult;
import dev.vfio.migration.sandbox.devices.device.DeviceModel.RunningAudit;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;

/** Carries audits through and logs each as {@code continuity}. Thread-safe. */
public final class Auditor {
  private final EventLog log;

  public Auditor(EventLog log) {
    this.log = log;
  }

  /** Beside the workload, in a thread of its own. */
  public void inBackground(RunningAudit audit, String cause) {
    Thread thread =
        new Thread(
            () -> {
              try {
                complete(audit, cause);
              } catch (RefusalException abandoned) {
                log.event(
                    "continuity-abandoned",
                    line -> {
                      line.writeStringField("cause", cause);
                      line.writeStringField("detail", abandoned.getMessage());
                    });
              }
            },
            "audit");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * In this thread.
   *
   * @throws RefusalException ESTALE if the device gave its state up meanwhile
   */
  public AuditResult complete(RunningAudit audit, String cause) throws RefusalException {
    AuditResult found = audit.complete();
    log.event(
        "continuity",
        line -> {
          line.writeStringField("result", found.ok() ? "ok" : "broken");
          line.writeStringField("detail", found.detail());
          line.writeNumberField("steps", found.step());
          line.writeNumberField("pages", found.pages());
          line.writeNumberField("bytes", found.bytes());
          line.writeStringField("cause", cause);
        });
    return found;
  }
}
