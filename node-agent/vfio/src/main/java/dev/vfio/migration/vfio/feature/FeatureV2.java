package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.device.StateChange;
import dev.vfio.migration.vfio.device.StateTracker;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * A device that speaks the v2 interface. The states of the 2018 interface are mapped onto its own:
 *
 * <pre>
 * RUNNING        RUNNING, its log of dirty pages stopped
 * SETUP          RUNNING, its log started where it has one
 * PRECOPY        PRE_COPY
 * STOPNCOPY      STOP_COPY, by way of the P2P states where it has them
 * SAVE_COMPLETED STOP, its log stopped
 * RESUME         RESUMING
 * RESUME_COMPLETED STOP
 * FAILED, CANCELLED  wherever it is, its data file closed and its log stopped
 * </pre>
 *
 * <p>What follows from the interface:
 *
 * <ul>
 *   <li>The device's state is read before each change, because another holder may have reset the
 *       device. A device that is not where this object left it is only led back. The state is read
 *       after each change as well, because a driver's success proves nothing.
 *   <li>ERROR is FAILED, and only {@link #reset()} leads out of it. The same holds for a device
 *       that took state in and was given up: half a state must never run.
 *   <li>A device that was opened in PRE_COPY or STOP_COPY hands out nothing, because its data file
 *       belongs to the process that led it there. It can be led back, or to SAVE_COMPLETED.
 * </ul>
 *
 * <p>Source: {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE} in {@code linux/vfio.h} of Linux 6.12.
 */
public final class FeatureV2 implements MigratableDevice {
  private final FeatureAccess access;
  private final DeviceDescription description;
  private final FeatureTransitions transitions;
  private final DataFile file;
  private final StateSize size;
  private final DmaLog log;
  private final StateTracker tracker;

  private FeatureV2(
      FeatureAccess access, DeviceDescription description, MigrationEnd end, boolean adopted) {
    this.access = access;
    this.description = description;
    this.tracker = new StateTracker(description.id(), end);
    this.file = new DataFile();
    this.transitions = new FeatureTransitions(access, description.driver().flags(), file, tracker);
    this.size = new StateSize(access);
    this.log = new DmaLog(access, description.pageSize(), description.dirtyPageTracking(), adopted);
  }

  /**
   * Describes a device without changing it. The access stays the caller's.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device; the description has its flags added
   * @param pageSize bytes of a host page
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static DeviceLook look(String id, FeatureAccess access, DriverProfile driver, int pageSize)
      throws DeviceException {
    DeviceDescription description = FeatureDescription.of(id, access, driver, pageSize);
    FeatureV2 device = new FeatureV2(access, description, MigrationEnd.SOURCE, true);
    FeatureState found = device.transitions.whileOpening();
    boolean settledByTheEnd = found == FeatureState.STOP || found == FeatureState.RUNNING_P2P;
    return settledByTheEnd
        ? new DeviceLook(description, null, true)
        : new DeviceLook(description, device.meaningOf(found));
  }

  /**
   * Opens a device without changing it. The device owns the access from here on; the access is
   * closed at once where this fails.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device; the description has its flags added
   * @param pageSize bytes of a host page
   * @param end what STOP means: STOPNCOPY at the source, whose state is intact; RESUME_COMPLETED at
   *     the destination
   * @param adopted whether another process opened the device before and still holds it
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static FeatureV2 open(
      String id,
      FeatureAccess access,
      DriverProfile driver,
      int pageSize,
      MigrationEnd end,
      boolean adopted)
      throws DeviceException {
    try {
      DeviceDescription description = FeatureDescription.of(id, access, driver, pageSize);
      FeatureV2 device = new FeatureV2(access, description, end, adopted);
      device.tracker.found(device.meaningOf(device.transitions.whileOpening()));
      return device;
    } catch (Throwable failure) {
      access.close();
      throw failure;
    }
  }

  private DeviceState meaningOf(FeatureState found) {
    return switch (found) {
      case ERROR -> DeviceState.FAILED;
      case RUNNING -> DeviceState.RUNNING;
      case PRE_COPY, PRE_COPY_P2P -> DeviceState.PRECOPY;
      case STOP_COPY -> DeviceState.STOPNCOPY;
      case RESUMING -> DeviceState.RESUME;
      case STOP -> tracker.stopped();
      // A change that failed or was cut off left it there.
      case RUNNING_P2P -> tracker.halfStopped();
    };
  }

  @Override
  public DeviceDescription description() {
    return description;
  }

  @Override
  public DeviceState state() {
    return tracker.state();
  }

  @Override
  public void watchMemory(List<MemoryRange> ranges) {
    log.watch(ranges);
  }

  @Override
  public void transition(DeviceState target) throws DeviceException {
    if (tracker.isAt(target)) {
      return;
    }
    tracker.requireAllowed(target);
    StateChange change =
        switch (target) {
          case SETUP -> this::setUp;
          case PRECOPY ->
              () ->
                  transitions.lead(
                      target,
                      FeatureState.PRE_COPY,
                      EnumSet.of(FeatureState.RUNNING, FeatureState.RUNNING_P2P));
          case STOPNCOPY -> this::stop;
          case SAVE_COMPLETED ->
              () -> {
                transitions.lead(
                    target,
                    FeatureState.STOP,
                    EnumSet.of(FeatureState.STOP_COPY, FeatureState.STOP));
                stopLog(target);
              };
          case RESUME ->
              () ->
                  transitions.lead(
                      target,
                      FeatureState.RESUMING,
                      EnumSet.of(
                          FeatureState.RUNNING, FeatureState.RUNNING_P2P, FeatureState.STOP));
          case RESUME_COMPLETED -> this::completeLoading;
          case RUNNING -> this::run;
          case FAILED, CANCELLED ->
              () -> {
                file.close();
                stopLog(target);
                tracker.noted(target);
              };
          case NONE -> throw new IllegalStateException("nothing leads to NONE");
        };
    change.make();
  }

  private void setUp() throws DeviceException {
    transitions.lead(DeviceState.SETUP, FeatureState.RUNNING, EnumSet.of(FeatureState.RUNNING));
    try {
      log.start();
    } catch (AccessException failure) {
      tracker.noted(DeviceState.RUNNING);
      throw DeviceFailures.duringAction(
          subject(),
          "starting its log of dirty pages",
          Kind.TRANSITION_FAILED,
          failure,
          "The device runs on.");
    }
  }

  private void stopLog(DeviceState target) throws DeviceException {
    try {
      log.stop();
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "stopping its log of dirty pages for " + target,
          Kind.TRANSITION_FAILED,
          failure,
          DeviceFailures.UNTOUCHED);
    }
  }

  private void stop() throws DeviceException {
    boolean goesOn = state() == DeviceState.PRECOPY;
    if (goesOn && !file.isOpen()) {
      throw tracker.refused(
          "the data file of its PRE_COPY belonged to who brought it there, so what was read before"
              + " cannot be continued. The device was not asked and is as before; lead it out"
              + " through FAILED.",
          null);
    }
    transitions.lead(
        DeviceState.STOPNCOPY,
        FeatureState.STOP_COPY,
        goesOn
            ? EnumSet.of(FeatureState.PRE_COPY, FeatureState.PRE_COPY_P2P)
            : EnumSet.of(FeatureState.RUNNING, FeatureState.RUNNING_P2P));
  }

  private void completeLoading() throws DeviceException {
    if (file.isBroken()) {
      throw tracker.refused(
          "it refused a part of its state, even if its driver would take what it holds for whole."
              + " The device was not asked and is as before. "
              + DeviceFailures.INCOMPLETE,
          null);
    }
    transitions.lead(
        DeviceState.RESUME_COMPLETED, FeatureState.STOP, EnumSet.of(FeatureState.RESUMING));
  }

  private void run() throws DeviceException {
    // A loaded device that already runs was reset, and its loaded state is lost.
    boolean waits = state() == DeviceState.RESUME_COMPLETED && !tracker.mayHaveBegunToRun();
    transitions.lead(
        DeviceState.RUNNING,
        FeatureState.RUNNING,
        waits
            ? EnumSet.of(FeatureState.STOP, FeatureState.RUNNING_P2P)
            : EnumSet.complementOf(EnumSet.of(FeatureState.RESUMING, FeatureState.ERROR)));
  }

  @Override
  public void requireLoaded() throws DeviceException {
    tracker.requireLoaded(
        transitions::position,
        EnumSet.of(FeatureState.STOP, FeatureState.RUNNING_P2P),
        FeatureState::name);
  }

  @Override
  public void requireUnchanged() throws DeviceException {
    tracker.requireUnchanged(transitions::position, positionsIn(state()), FeatureState::name);
  }

  /** Where the device may be in that state. */
  private static Set<FeatureState> positionsIn(DeviceState state) {
    return switch (state) {
      case RUNNING, SETUP -> EnumSet.of(FeatureState.RUNNING);
      case PRECOPY -> EnumSet.of(FeatureState.PRE_COPY, FeatureState.PRE_COPY_P2P);
      // A source that was found stopped counts as STOPNCOPY.
      case STOPNCOPY -> EnumSet.of(FeatureState.STOP_COPY, FeatureState.STOP);
      case SAVE_COMPLETED -> EnumSet.of(FeatureState.STOP);
      case RESUME -> EnumSet.of(FeatureState.RESUMING);
      case RESUME_COMPLETED -> EnumSet.of(FeatureState.STOP, FeatureState.RUNNING_P2P);
      case NONE, FAILED, CANCELLED -> EnumSet.allOf(FeatureState.class);
    };
  }

  @Override
  public PendingBytes pending(long thresholdBytes) throws DeviceException {
    PendingBytes.requireThreshold(thresholdBytes);
    try {
      return switch (state()) {
        case RUNNING, SETUP -> size.beforeReading();
        case PRECOPY -> size.whileRunning(file.precopyInfo());
        case STOPNCOPY ->
            file.ended() ? PendingBytes.NOTHING : size.beforeTheEnd(file.readWhileStopped());
        case NONE, SAVE_COMPLETED, RESUME, RESUME_COMPLETED, FAILED, CANCELLED ->
            PendingBytes.NOTHING;
      };
    } catch (AccessException failure) {
      throw DeviceFailures.pendingNotRead(subject(), failure);
    }
  }

  @Override
  public int readState(ByteBuffer chunk) throws DeviceException {
    try {
      return file.read(chunk, state() == DeviceState.STOPNCOPY);
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "reading state",
          Kind.READ_FAILED,
          failure,
          "The stream of its state cannot be continued, so this attempt cannot be completed: lead"
              + " the device back through FAILED.");
    }
  }

  @Override
  public void writeState(ByteBuffer chunk, long following) throws DeviceException {
    try {
      file.write(chunk);
    } catch (AccessException failure) {
      throw DeviceFailures.writingFailed(subject(), failure);
    }
  }

  /** The data file is a stream; this is how much is read at once. */
  @Override
  public long maxChunkBytes() {
    return DataFile.MAX_BYTES_AT_ONCE;
  }

  @Override
  public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
    return log.report(subject(), iova, pages, into);
  }

  @Override
  public void reset() throws DeviceException {
    file.close();
    tracker.reset(
        () -> {
          access.reset();
          log.lost();
          transitions.wasReset();
        },
        () -> meaningOf(transitions.position()));
  }

  /**
   * {@inheritDoc}
   *
   * <p>May come from any thread.
   */
  @Override
  public void close() {
    file.closeForGood();
    access.close();
  }

  private String subject() {
    return tracker.subject();
  }
}
