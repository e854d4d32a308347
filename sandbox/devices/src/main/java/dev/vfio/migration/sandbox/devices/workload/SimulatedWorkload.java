package dev.vfio.migration.sandbox.devices.workload;

import dev.vfio.migration.sandbox.devices.device.DeviceModel;
import dev.vfio.migration.sandbox.devices.device.DeviceModel.RunningAudit;
import dev.vfio.migration.sandbox.devices.device.WorkloadSide;
import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusableAction;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The workload: a thread that does the next step of the device's sequence at every interval.
 *
 * <pre>
 *  WAITING --take--> RUNNING --pause--> PAUSED --release--> RELEASED --device reset--> WAITING
 *                       ^------resume-----'
 * </pre>
 *
 * On a stopped device it does not advance: it waits until the device runs again. It holds no state
 * of its own; where the sequence stands is in the device. Thread-safe. Locks are taken in the order
 * workload, device; the device calls back without its lock.
 */
public final class SimulatedWorkload implements WorkloadSide, AutoCloseable {
  private static final long CATCH_UP_STEPS = 20;

  private final DeviceModel device;
  private final Auditor auditor;
  private final EventLog log;
  private final long interval;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Thread thread = new Thread(this::run, "workload");

  // also read without the lock, by the device under its own
  private volatile WorkloadState state = WorkloadState.WAITING;
  private boolean stepping;
  private boolean ended;
  private long deviceChanges;
  private MigrationKey holder;

  /**
   * @param interval nanoseconds between two steps
   */
  public SimulatedWorkload(DeviceModel device, Auditor auditor, EventLog log, long interval) {
    this.device = device;
    this.auditor = auditor;
    this.log = log;
    this.interval = interval;
  }

  /** Begins, either with steps at once or waiting for a device. */
  public void start(WorkloadState first) {
    lock.lock();
    try {
      enter(first, null);
    } finally {
      lock.unlock();
    }
    thread.setDaemon(true);
    thread.start();
  }

  public WorkloadState state() {
    return state;
  }

  /** Returns once no step is under way and none will begin. */
  public void pause(MigrationKey key) throws RefusalException {
    lock.lock();
    try {
      RefusableAction action =
          switch (state) {
            case PAUSED ->
                () -> {
                  requireHolder(key, "paused");
                  holder = key;
                  awaitStandstill();
                };
            case RUNNING ->
                () -> {
                  // from here on no step begins; the one that may be under way is waited for
                  state = WorkloadState.PAUSED;
                  holder = key;
                  awaitStandstill();
                  enter(WorkloadState.PAUSED, key);
                };
            case WAITING, RELEASED ->
                throw new RefusalException(Errno.EINVAL, "the workload is " + state.notation());
          };
      action.perform();
    } finally {
      lock.unlock();
    }
  }

  /** Goes on here, on a device that runs; then checks beside its steps that nothing is missing. */
  public void resume(MigrationKey key) throws RefusalException {
    lock.lock();
    try {
      RefusableAction action =
          switch (state) {
            case RUNNING -> () -> {};
            case PAUSED ->
                () -> {
                  requireHolder(key, "paused");
                  if (!device.operates()) {
                    throw new RefusalException(
                        Errno.EBUSY,
                        "the device is stopped in " + device.state() + "; start it first");
                  }
                  RunningAudit audit = device.audit();
                  enter(WorkloadState.RUNNING, key);
                  auditor.inBackground(audit, "resume");
                };
            case WAITING, RELEASED ->
                throw new RefusalException(
                    Errno.EINVAL,
                    "the workload is " + state.notation() + " and must not run on this device");
          };
      action.perform();
    } finally {
      lock.unlock();
    }
  }

  /** Takes the device with what was loaded into it, and runs; checks all of it beside its steps. */
  public void take(MigrationKey key) throws RefusalException {
    lock.lock();
    try {
      RefusableAction action =
          switch (state) {
            case WAITING ->
                () -> {
                  RunningAudit audit = device.claim();
                  enter(WorkloadState.RUNNING, key);
                  auditor.inBackground(audit, "take");
                };
            case RUNNING -> () -> requireHolder(key, "taken");
            case PAUSED, RELEASED ->
                throw new RefusalException(Errno.EINVAL, "the workload is " + state.notation());
          };
      action.perform();
    } finally {
      lock.unlock();
    }
  }

  /** Gives the device up for good; only once the device has given its state away. */
  public void release(MigrationKey key) throws RefusalException {
    lock.lock();
    try {
      RefusableAction action =
          switch (state) {
            case RELEASED -> () -> requireHolder(key, "released");
            case PAUSED ->
                () -> {
                  requireHolder(key, "paused");
                  if (device.state() != DeviceState.SAVE_COMPLETED) {
                    throw new RefusalException(
                        Errno.EBUSY,
                        "the device is in "
                            + device.state()
                            + "; a release follows SAVE_COMPLETED");
                  }
                  enter(WorkloadState.RELEASED, key);
                };
            case RUNNING, WAITING ->
                throw new RefusalException(Errno.EINVAL, "the workload is " + state.notation());
          };
      action.perform();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public boolean holdsDevice() {
    return state == WorkloadState.RUNNING || state == WorkloadState.PAUSED;
  }

  @Override
  public void deviceChanged() {
    lock.lock();
    try {
      deviceChanges++;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void deviceReset() {
    lock.lock();
    try {
      if (state == WorkloadState.RELEASED) {
        enter(WorkloadState.WAITING, null);
      }
    } finally {
      lock.unlock();
    }
    deviceChanged();
  }

  @Override
  public void close() {
    lock.lock();
    try {
      ended = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    lock.lock();
    try {
      long nextStep = System.nanoTime();
      while (!ended) {
        long wait = nextStep - System.nanoTime();
        if (state != WorkloadState.RUNNING) {
          changed.awaitUninterruptibly();
          nextStep = System.nanoTime();
        } else if (wait > 0) {
          changed.awaitNanos(wait);
        } else if (step()) {
          // a little lateness is caught up on; more than that would come as a burst
          boolean late = -wait > CATCH_UP_STEPS * interval;
          nextStep = late ? System.nanoTime() : nextStep + interval;
        }
      }
    } catch (InterruptedException e) {
      // nobody interrupts this thread but the end of the process
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
  }

  /** Steps without holding the lock; waits for the device to change if it is stopped. */
  private boolean step() {
    long changesBefore = deviceChanges;
    boolean done = false;
    stepping = true;
    lock.unlock();
    try {
      done = device.step();
    } finally {
      lock.lock();
      stepping = false;
      changed.signalAll();
    }
    while (!done && !ended && state == WorkloadState.RUNNING && deviceChanges == changesBefore) {
      changed.awaitUninterruptibly();
    }
    return done;
  }

  private void awaitStandstill() {
    changed.signalAll();
    while (stepping) {
      changed.awaitUninterruptibly();
    }
  }

  private void requireHolder(MigrationKey key, String what) throws RefusalException {
    if (holder == null || !key.mayFollow(holder)) {
      String by = holder == null ? "no migration" : "migration " + holder;
      throw new RefusalException(
          Errno.EBUSY, "the workload was " + what + " by " + by + ", not by " + key);
    }
  }

  private void enter(WorkloadState next, MigrationKey key) {
    long step = device.stepNumber();
    state = next;
    holder = key;
    log.event(
        "workload",
        line -> {
          line.writeStringField("to", next.notation());
          line.writeNumberField("step", step);
          if (key != null) {
            line.writeStringField("migration", key.toString());
          }
        });
    changed.signalAll();
  }
}
