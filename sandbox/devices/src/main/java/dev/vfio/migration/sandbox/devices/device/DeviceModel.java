package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.chunk.ChunkPlan;
import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.fault.Fault;
import dev.vfio.migration.sandbox.devices.fault.FaultKind;
import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.lifecycle.Transitions;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusableAction;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * The device: its state machine, its state, and what its workload and a migration client may do to
 * it. One lock guards all of it; content is generated outside that lock, so a client that reads the
 * state hardly slows the workload. Thread-safe.
 *
 * <p>The device stops when it enters STOPNCOPY and starts when it enters RUNNING. A device that
 * comes to FAILED or CANCELLED without having stopped goes on serving its workload: nothing was
 * taken from it.
 */
public final class DeviceModel {
  private final DeviceSettings settings;
  private final ActiveFaults faults;
  private final DeviceEvents events;
  private final Object lock = new Object();
  private final DeviceContents contents;

  private WorkloadSide workload;
  private DeviceState state = DeviceState.NONE;
  private boolean stopped = true;
  private boolean holdsState;
  private boolean restored;
  private boolean unchecked;
  private boolean violationLogged;

  /**
   * A device in NONE.
   *
   * @param window the memory it writes into; null if it writes into none
   */
  public DeviceModel(DeviceSettings settings, DmaWindow window, ActiveFaults faults, EventLog log) {
    this.settings = settings;
    this.faults = faults;
    this.events = new DeviceEvents(log);
    this.contents = new DeviceContents(settings, window);
  }

  /** Names the workload; before anything else is called. */
  public void attach(WorkloadSide side) {
    workload = side;
  }

  public Optional<DmaWindow> window() {
    return contents.window();
  }

  public DeviceState state() {
    synchronized (lock) {
      return state;
    }
  }

  /** Brings a fresh device up with its workload's memory as it is before the first step. */
  public void powerOn() {
    synchronized (lock) {
      contents.fillWindow();
      start();
      moved(DeviceState.RUNNING, "power-on");
    }
  }

  /**
   * Action "set state": moves the device to the state that {@code wire} stands for.
   *
   * @throws RefusalException EINVAL for a number or a move that the text does not know; EBUSY if
   *     the workload still counts on what would be lost; EIO or EINVAL if what was loaded is not
   *     whole
   */
  public void transition(int wire) throws RefusalException {
    Optional<DeviceState> target = DeviceState.ofWire(wire);
    try {
      DeviceState to =
          target.orElseThrow(
              () -> new RefusalException(Errno.EINVAL, "no state has the number " + wire));
      requireAllowed(to);
      faults.stall(to);
      synchronized (lock) {
        requireAllowed(to);
        faults.refuse(FaultKind.FAIL_TRANSITION, to, Long.MAX_VALUE);
        if (faults.fire(FaultKind.IGNORE_TRANSITION, to).isPresent()) {
          return;
        }
        enter(to);
        moved(to, "client");
      }
    } catch (RefusalException e) {
      String to = target.map(DeviceState::name).orElse(Integer.toString(wire));
      events.refused(state(), to, wire, e);
      throw e;
    }
    workload.deviceChanged();
  }

  /** Brings the device back to NONE, without any state. EBUSY while its workload counts on it. */
  public void reset() throws RefusalException {
    synchronized (lock) {
      if (workload.holdsDevice()) {
        RefusalException refusal =
            new RefusalException(
                Errno.EBUSY, "the workload holds the device; a reset would lose its state");
        events.refused(state, DeviceState.NONE.name(), DeviceState.NONE.wire(), refusal);
        throw refusal;
      }
      faults.refuse(FaultKind.FAIL_RESET, state, Long.MAX_VALUE);
      if (faults.fire(FaultKind.RESET_KEEPS_STATE, state).isPresent()) {
        return;
      }
      abandonState();
      contents.makeFresh();
      moved(DeviceState.NONE, "reset");
    }
    workload.deviceReset();
  }

  /** Action "get pending bytes"; nothing is pending outside SETUP, PRECOPY and STOPNCOPY. */
  public PendingBytes pending(long threshold) {
    synchronized (lock) {
      contents.clientHasRead();
      if (endsEarly()) {
        return new PendingBytes(0, 0, 0);
      }
      PendingBytes pending = contents.pending(threshold);
      if (state == DeviceState.STOPNCOPY
          && pending.total() == 0
          && faults.fire(FaultKind.NEVER_DRY, state).isPresent()) {
        return new PendingBytes(0, settings.geometry().pageSize(), 0);
      }
      if (faults.fire(FaultKind.ESTIMATE_NOTHING, state).isPresent()) {
        return new PendingBytes(0, 0, 0);
      }
      return pending;
    }
  }

  /**
   * Action "get buffer": writes the next chunk to {@code area}.
   *
   * @return its size in bytes; 0 if there is nothing to hand out now
   * @throws RefusalException EINVAL outside PRECOPY and STOPNCOPY
   */
  public int stage(long threshold, ByteBuffer area) throws RefusalException {
    while (true) {
      DeviceState during;
      ChunkPlan plan;
      synchronized (lock) {
        if (!state.handsOutBuffers()) {
          throw new RefusalException(Errno.EINVAL, "no buffers are handed out in " + state);
        }
        during = state;
        faults.refuse(FaultKind.FAIL_BUFFER, state, contents.bytesOut());
        if (endsEarly()) {
          return 0;
        }
        plan = plan(threshold);
        if (plan.isEmpty()) {
          return 0;
        }
      }
      int size = contents.write(plan, area);
      if (faults.fire(FaultKind.CORRUPT_DATA, during).isPresent()) {
        area.put(size / 2, (byte) (area.get(size / 2) ^ 1));
      }
      if (faults.fire(FaultKind.LOSE_CHUNK, during).isEmpty()) {
        return size;
      }
    }
  }

  /**
   * Action "set buffer": takes all of {@code data} in.
   *
   * @throws RefusalException EINVAL outside RESUME and for data that is not a stream of chunks; EIO
   *     after such data
   */
  public void load(ByteBuffer data) throws RefusalException {
    synchronized (lock) {
      if (state != DeviceState.RESUME) {
        throw new RefusalException(Errno.EINVAL, "no buffers are taken in " + state);
      }
      faults.refuse(FaultKind.FAIL_BUFFER, state, contents.bytesIn());
      contents.load(data);
    }
  }

  /**
   * Action "get dirty pages": writes the bitmap of the beginning of that range to {@code area}.
   *
   * @param start byte address
   * @param total pages
   * @return pages covered; 0 if none in the range is dirty
   */
  public int reportDirty(long start, long total, ByteBuffer area) throws RefusalException {
    synchronized (lock) {
      if (!state.saving()) {
        throw new RefusalException(Errno.EINVAL, "dirty pages are not logged in " + state);
      }
      faults.refuse(FaultKind.DIRTY_LOG_REFUSED, state, Long.MAX_VALUE);
      return contents.reportDirty(start, total, area);
    }
  }

  /** The client has left: what it may not have read is handed out again. The state is kept. */
  public void clientLeft() {
    synchronized (lock) {
      contents.clientLeft();
    }
  }

  /** One step of the workload, done as a whole or, if the device is stopped, not at all. */
  public boolean step() {
    synchronized (lock) {
      if (stopped) {
        if (!violationLogged) {
          violationLogged = true;
          events.steppedWhileStopped(state, contents.point().step());
        }
        return false;
      }
      boolean forget = faults.fire(FaultKind.FORGET_DIRTY, state).isPresent();
      boolean twice = faults.fire(FaultKind.DOUBLE_STEP, state).isPresent();
      contents.step(!forget, twice);
      return true;
    }
  }

  /** Whether the device serves its workload. */
  public boolean operates() {
    synchronized (lock) {
      return !stopped;
    }
  }

  /** The workload's step as the device holds it. */
  public long stepNumber() {
    synchronized (lock) {
      return contents.point().step();
    }
  }

  /**
   * Begins an audit of what the device was given, for a workload that takes it over.
   *
   * @throws RefusalException EBUSY unless the device is RUNNING on a state that it has loaded
   */
  public RunningAudit claim() throws RefusalException {
    synchronized (lock) {
      if (state != DeviceState.RUNNING || !restored) {
        throw new RefusalException(
            Errno.EBUSY,
            "the device is in " + state + (restored ? "" : " and has loaded no state"));
      }
      return audit();
    }
  }

  /**
   * Begins an audit as of now.
   *
   * @throws RefusalException EBUSY if the device holds no whole state
   */
  public RunningAudit audit() throws RefusalException {
    synchronized (lock) {
      if (!holdsState) {
        throw new RefusalException(Errno.EBUSY, "the device holds no state in " + state);
      }
      return new RunningAudit(contents.beginAudit());
    }
  }

  /** Another pace from the next step on: pages a step, fixed-point. */
  public void changePace(long devicePerStep, long windowPerStep) {
    synchronized (lock) {
      contents.changePace(devicePerStep, windowPerStep);
    }
  }

  public DeviceSnapshot status() {
    synchronized (lock) {
      return new DeviceSnapshot(
          state,
          holdsState,
          contents.point().step(),
          contents.point().chain(),
          contents.pending(0),
          contents.bytesOut(),
          contents.bytesIn(),
          contents.missingPages(),
          contents.dirtyWindowPages());
    }
  }

  /** An audit that goes on beside the workload. One thread calls {@link #complete}. */
  public final class RunningAudit {
    private final Audit audit;

    private RunningAudit(Audit audit) {
      this.audit = audit;
    }

    /** Takes as long as reading the window takes; holds the device for a few pages at a time. */
    public AuditResult complete() throws RefusalException {
      boolean more = true;
      while (more) {
        synchronized (lock) {
          more = audit.compareSome();
          if (audit.abandoned()) {
            throw new RefusalException(Errno.ESTALE, "the device lost its state under the audit");
          }
          if (!more) {
            contents.endAudit(audit);
          }
        }
      }
      return audit.finish();
    }
  }

  private void requireAllowed(DeviceState to) throws RefusalException {
    synchronized (lock) {
      if (!Transitions.allowed(state, to)) {
        throw new RefusalException(Errno.EINVAL, "there is no way from " + state + " to " + to);
      }
      if (to == DeviceState.RUNNING && state != DeviceState.NONE && !holdsState) {
        throw new RefusalException(
            Errno.EINVAL, "the device holds no whole state any more; only a reset leaves " + state);
      }
      if (to == DeviceState.RESUME && workload.holdsDevice()) {
        throw new RefusalException(Errno.EBUSY, "the workload holds the device");
      }
    }
  }

  private void enter(DeviceState to) throws RefusalException {
    RefusableAction action =
        switch (to) {
          case RUNNING ->
              () -> {
                if (unchecked) {
                  contents.completeLoad();
                  unchecked = false;
                }
                start();
              };
          case SETUP -> contents::beginSave;
          case STOPNCOPY -> () -> stopped = true;
          case SAVE_COMPLETED ->
              () -> {
                PendingBytes unread = contents.pending(0);
                if (unread.total() > 0) {
                  events.completedTooEarly(unread);
                }
                contents.endSave();
                abandonState();
              };
          case RESUME ->
              () -> {
                abandonState();
                contents.beginLoad();
              };
          case RESUME_COMPLETED ->
              () -> {
                unchecked = faults.fire(FaultKind.CHECK_LATE, to).isPresent();
                if (!unchecked) {
                  contents.completeLoad();
                }
                holdsState = true;
                restored = true;
              };
          case FAILED ->
              () -> {
                contents.endSave();
                if (state == DeviceState.RESUME || state == DeviceState.RESUME_COMPLETED) {
                  contents.abandonLoad();
                  abandonState();
                }
              };
          case CANCELLED -> contents::endSave;
          case NONE, PRECOPY -> () -> {};
        };
    action.perform();
  }

  private boolean endsEarly() {
    return faults.fire(FaultKind.END_EARLY, state, contents.bytesOut()).isPresent();
  }

  private void start() {
    holdsState = true;
    stopped = false;
    violationLogged = false;
  }

  private void abandonState() {
    stopped = true;
    holdsState = false;
    restored = false;
    unchecked = false;
    contents.abandonAudits();
  }

  private ChunkPlan plan(long threshold) {
    boolean last = state == DeviceState.STOPNCOPY;
    ChunkPlan plan = contents.plan(threshold, last);
    if (plan.isEmpty() && last) {
      Optional<Fault> endless = faults.fire(FaultKind.NEVER_DRY, state);
      if (endless.isPresent() && endless.get().word().equals("data")) {
        contents.startSaveOver();
        return contents.plan(threshold, true);
      }
    }
    return plan;
  }

  private void moved(DeviceState to, String cause) {
    events.moved(state, to, cause);
    state = to;
  }
}
