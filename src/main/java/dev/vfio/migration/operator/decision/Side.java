package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.DeviceLocation;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * One end of a migration as the operator sees it now.
 *
 * @param role source or destination
 * @param location the node and device that the spec names
 * @param agent whether the node's agent can be reached
 * @param session the agent's session of this migration and attempt as last reported; empty where it
 *     reported none since it was connected
 * @param refusal what the agent answered to the last command of this reconciliation, if it did not
 *     carry it out
 * @param inspection the device as the agent listed it in this reconciliation, if it was asked
 * @param verification the session as the agent answered the last command of this reconciliation
 *     with, where that command was VerifyLoaded and the agent confirmed it
 */
public record Side(
    Role role,
    DeviceLocation location,
    Agent agent,
    Optional<Session> session,
    Optional<Refusal> refusal,
    Optional<Inspection> inspection,
    Optional<Session> verification) {

  /** A side that was not asked to verify what is loaded. */
  public Side(
      Role role,
      DeviceLocation location,
      Agent agent,
      Optional<Session> session,
      Optional<Refusal> refusal,
      Optional<Inspection> inspection) {
    this(role, location, agent, session, refusal, inspection, Optional.empty());
  }

  /** Whether the node's agent can be reached. */
  public sealed interface Agent {}

  /** No agent pod runs on the node, {@code since} by the operator's monotonic clock. */
  public record Absent(Instant since) implements Agent {}

  /**
   * There is an agent but it does not answer: {@code cause} for people, {@code since} by the
   * operator's monotonic clock.
   */
  public record Unreachable(String cause, Instant since) implements Agent {}

  /**
   * The agent answers and its sessions are watched.
   *
   * @param host where the other agent finds its state stream
   * @param version of the agent, for people
   * @param verifiesLoaded whether it can be asked to verify what it loaded
   */
  public record Reachable(String host, String version, boolean verifiesLoaded) implements Agent {

    /** An agent of this operator's own version. */
    public Reachable(String host) {
      this(host, "", true);
    }
  }

  /**
   * A command that was not carried out.
   *
   * @param lasting repeating the command cannot help
   */
  public record Refusal(Command command, Reason reason, String message, boolean lasting) {
    /**
     * True when it was the first command for its side and the agent refused it before it did
     * anything to the device. A journal that cannot be written belongs here: the agent writes it
     * first, and forgets the session when it cannot.
     */
    boolean touchedNothing() {
      boolean first =
          command instanceof Command.PrepareDestination || command instanceof Command.StartSource;
      return first && UNTOUCHED.contains(reason);
    }
  }

  private static final Set<Reason> UNTOUCHED =
      EnumSet.of(
          Reason.INVALID_REQUEST,
          Reason.UNKNOWN_DEVICE,
          Reason.NO_MIGRATION_REGION,
          Reason.DEVICE_BUSY,
          Reason.INCOMPATIBLE_DEVICE,
          Reason.NO_CAPACITY,
          Reason.JOURNAL_FAILED);

  /** An answer to ListDevices: empty when the agent has no such device. */
  public record Inspection(Optional<Device> device) {}

  /** "source" or "destination". */
  public String name() {
    return role == Role.SOURCE ? "source" : "destination";
  }

  /** The agent can be reached and has reported its session. */
  boolean reports() {
    return reachable() && session.isPresent();
  }

  boolean reachable() {
    return agent instanceof Reachable;
  }

  /**
   * The session's state; UNSPECIFIED where there is none or the agent is newer and names a state
   * that this operator does not know.
   */
  SessionState state() {
    return session.map(Session::getState).orElse(SessionState.SESSION_STATE_UNSPECIFIED);
  }

  /** What the side's session reports; the defaults where there is none. */
  Progress progress() {
    return session.map(Session::getProgress).orElse(Progress.getDefaultInstance());
  }

  /**
   * The state in which the agent lists the device; UNSPECIFIED where it was not asked in this
   * reconciliation, has no such device, or does not report its state.
   */
  DeviceState listedState() {
    return inspection
        .flatMap(Inspection::device)
        .map(Device::getState)
        .orElse(DeviceState.DEVICE_STATE_UNSPECIFIED);
  }

  /**
   * Whether the agent, asked in this reconciliation, confirmed that the device still holds what was
   * loaded. A report of LOADED alone may be old.
   */
  boolean verifiedLoaded() {
    return verification
        .filter(found -> found.getState() == SessionState.DESTINATION_LOADED)
        .filter(
            found ->
                session
                    .filter(known -> known.getInstanceId().equals(found.getInstanceId()))
                    .filter(known -> known.getState() == SessionState.DESTINATION_LOADED)
                    .isPresent())
        .isPresent();
  }

  /**
   * How long the agent has been out of reach; zero while it is reachable.
   *
   * @param now by the monotonic clock
   */
  Duration awayAt(Instant now) {
    Instant since =
        agent instanceof Absent absent
            ? absent.since()
            : agent instanceof Unreachable unreachable ? unreachable.since() : now;
    Duration away = Duration.between(since, now);
    return away.isNegative() ? Duration.ZERO : away;
  }

  /** True once the agent was asked and does not hold the device for {@code claim}. */
  boolean lost(String claim) {
    return session.isEmpty()
        && inspection.isPresent()
        && !inspection.get().device().map(Device::getClaimedBy).orElse("").equals(claim);
  }

  /** Why the agent cannot be talked to, for people; only for agents that are not reachable. */
  String unavailability() {
    return "the agent on "
        + location.nodeName()
        + " ("
        + name()
        + ") cannot be reached: "
        + (agent instanceof Unreachable unreachable
            ? unreachable.cause()
            : "no agent pod runs on that node");
  }
}
