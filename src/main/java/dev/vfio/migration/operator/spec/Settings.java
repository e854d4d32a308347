package dev.vfio.migration.operator.spec;

import dev.vfio.migration.operator.api.ByteSize;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.Convergence.Mode;
import dev.vfio.migration.operator.api.Convergence.OnStall;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.api.Timeouts;
import dev.vfio.migration.operator.api.Transfer;
import dev.vfio.migration.operator.convergence.Rule;
import dev.vfio.migration.operator.status.ConditionReason;
import io.fabric8.kubernetes.api.model.Quantity;
import java.time.Duration;
import java.util.Optional;

/**
 * A spec, checked and typed. The API server enforces the same rules through the CRD; they are
 * checked again because an object may have been stored before a rule existed. Defaults are the
 * CRD's (a test compares the two).
 *
 * @param takeBack why the source is to run again although the handover is committed
 * @param bandwidthLimit payload bytes per second; 0 is no limit
 */
public record Settings(
    DeviceLocation source,
    DeviceLocation destination,
    Mode mode,
    Rule rule,
    OnStall onStall,
    long bandwidthLimit,
    int streams,
    PhaseTimeouts timeouts,
    boolean manualSwitchover,
    boolean cancel,
    Optional<Duration> timeToLive,
    Optional<String> takeBack) {

  static final int MAX_STREAMS = 16;

  /**
   * How long each phase may last.
   *
   * @param switchingOver empty: scaled by what is pending
   */
  public record PhaseTimeouts(
      Duration validating,
      Duration preparing,
      Optional<Duration> switchingOver,
      Duration activating,
      Duration rollingBack,
      Duration agentUnavailable) {}

  /** Checks {@code spec} and fills in the defaults. */
  public static Settings of(DeviceMigrationSpec spec) throws InvalidSpecException {
    if (spec == null) {
      throw invalid("spec is missing");
    }
    if (spec.unreadable() != null) {
      throw invalid("spec cannot be read: " + spec.unreadable());
    }
    DeviceLocation source = location("source", spec.source());
    DeviceLocation destination = location("destination", spec.destination());
    if (source.equals(destination)) {
      throw new InvalidSpecException(
          ConditionReason.SAME_DEVICE,
          "source and destination name the same device (" + source + ").");
    }
    if (source.nodeName().equals(destination.nodeName())) {
      throw invalid(
          "source and destination must be on different nodes, both are on " + source.nodeName());
    }
    Convergence convergence =
        Optional.ofNullable(spec.convergence())
            .orElseGet(() -> new Convergence(null, null, null, null, null));
    Transfer transfer =
        Optional.ofNullable(spec.transfer()).orElseGet(() -> new Transfer(null, null));
    Integer timeToLive = spec.ttlSecondsAfterFinished();
    if (timeToLive != null && timeToLive < 0) {
      throw invalid("ttlSecondsAfterFinished is negative: " + timeToLive);
    }
    return new Settings(
        source,
        destination,
        Optional.ofNullable(convergence.mode()).orElse(Mode.LIVE),
        new Rule(
            duration("convergence.downtimeLimit", convergence.downtimeLimit(), "300ms"),
            size("convergence.thresholdBytes", convergence.thresholdBytes(), "64Ki"),
            duration("convergence.maxDuration", convergence.maxDuration(), "30m")),
        Optional.ofNullable(convergence.onStall()).orElse(OnStall.CANCEL),
        size("transfer.bandwidthLimit", transfer.bandwidthLimit(), "0"),
        streams(transfer.streams()),
        timeouts(spec.timeouts()),
        spec.switchover() == Switchover.MANUAL,
        Boolean.TRUE.equals(spec.cancel()),
        Optional.ofNullable(timeToLive).map(Duration::ofSeconds),
        Optional.ofNullable(spec.takeBack()).filter(why -> !why.isBlank()));
  }

  /**
   * What is left of a spec that cannot be carried out: both ends, and defaults for everything else.
   * Enough to end what was begun. Empty where not even the ends are known.
   */
  public static Optional<Settings> remainsOf(DeviceMigrationSpec spec) {
    if (spec == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          of(
              new DeviceMigrationSpec(
                  spec.source(),
                  spec.destination(),
                  null,
                  null,
                  null,
                  null,
                  null,
                  null,
                  spec.takeBack(),
                  null)));
    } catch (InvalidSpecException endsUnknown) {
      return Optional.empty();
    }
  }

  private static DeviceLocation location(String field, DeviceLocation location)
      throws InvalidSpecException {
    if (location == null || blank(location.nodeName()) || blank(location.device())) {
      throw invalid(field + " must name a node and a device");
    }
    return location;
  }

  private static boolean blank(String text) {
    return text == null || text.isBlank();
  }

  private static int streams(Integer streams) throws InvalidSpecException {
    if (streams != null && (streams < 1 || streams > MAX_STREAMS)) {
      throw invalid("transfer.streams must be 1 to " + MAX_STREAMS + ", not " + streams);
    }
    return streams == null ? 1 : streams;
  }

  private static PhaseTimeouts timeouts(Timeouts given) throws InvalidSpecException {
    Timeouts timeouts =
        Optional.ofNullable(given)
            .orElseGet(() -> new Timeouts(null, null, null, null, null, null));
    return new PhaseTimeouts(
        duration("timeouts.validating", timeouts.validating(), "2m"),
        duration("timeouts.preparing", timeouts.preparing(), "1m"),
        timeouts.switchingOver() == null
            ? Optional.empty()
            : Optional.of(duration("timeouts.switchingOver", timeouts.switchingOver(), "")),
        duration("timeouts.activating", timeouts.activating(), "30s"),
        duration("timeouts.rollingBack", timeouts.rollingBack(), "1m"),
        duration("timeouts.agentUnavailable", timeouts.agentUnavailable(), "30s"));
  }

  private static Duration duration(String field, String text, String byDefault)
      throws InvalidSpecException {
    try {
      Duration duration = GoDuration.parse(text == null ? byDefault : text);
      if (duration.compareTo(Duration.ofMillis(1)) < 0) {
        throw invalid(field + " must be at least 1ms, not " + text);
      }
      return duration;
    } catch (IllegalArgumentException malformed) {
      throw invalid(field + ": " + malformed.getMessage());
    }
  }

  private static long size(String field, Quantity quantity, String byDefault)
      throws InvalidSpecException {
    try {
      return ByteSize.parse(quantity == null ? new Quantity(byDefault) : quantity);
    } catch (IllegalArgumentException | ArithmeticException malformed) {
      throw invalid(field + ": " + malformed.getMessage());
    }
  }

  private static InvalidSpecException invalid(String message) {
    return new InvalidSpecException(ConditionReason.INVALID_SPEC, message + ".");
  }
}
