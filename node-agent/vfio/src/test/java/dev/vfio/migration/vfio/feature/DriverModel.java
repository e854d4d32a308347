package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.StateFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A kernel with a driver that speaks the v2 interface, written from the kernel's text and table and
 * knowing nothing of the client. States, features and errnos are the text's numbers.
 *
 * <p>Its device's state is a string of bytes; its stream is their number (4 bytes, big-endian) and
 * then the bytes.
 */
final class DriverModel extends AccessWithoutRegions {
  static final int STOP_COPY_FLAG = 1;
  static final int P2P_FLAG = 2;
  static final int PRE_COPY_FLAG = 4;

  static final int ENOMEM = 12;
  static final int ENODEV = 19;
  static final int EINVAL = 22;
  static final int ENOTTY = 25;
  static final int ENOMSG = 42;
  static final int ETIMEDOUT = 110;

  /** One arc fails, with that errno, and leaves the device in that state. */
  private record Failing(int errno, String leaves) {}

  private final int flags;
  private final List<String> trace = new ArrayList<>();
  private final Map<String, Failing> failing = new HashMap<>();
  private final ModelFiles files = new ModelFiles(this);
  private final DirtyLogModel log = new DirtyLogModel();
  private final Map<Integer, Integer> featureErrnos = new HashMap<>();
  private String state = "RUNNING";
  private byte[] content = {};
  private int maxPerRead = Integer.MAX_VALUE;
  private boolean precopyEndsWithZero;
  private boolean stallsWhileStopped;
  private Integer answeredDescriptor;
  private Integer answeredState;
  private Long reportedSize;
  private int resets;
  private boolean keepsStateAtReset;
  private boolean closed;
  private AccessException everything;
  private final Set<String> ignored = new TreeSet<>();
  private boolean unreported;
  private boolean unreportedAfterReset;
  private int precopyInfoErrno;

  DriverModel(int flags) {
    this.flags = flags;
  }

  static DriverModel ofAll() {
    return new DriverModel(STOP_COPY_FLAG | P2P_FLAG | PRE_COPY_FLAG);
  }

  // ------------------------------------------------------------------ the test's side

  DriverModel in(String where) {
    state = where;
    files.foundIn(where, stream());
    return this;
  }

  DriverModel holding(byte[] bytes) {
    content = bytes.clone();
    return this;
  }

  byte[] content() {
    return content.clone();
  }

  String state() {
    return state;
  }

  /** Arcs taken, SETs and other features asked, since the last call. */
  List<String> trace() {
    List<String> seen = List.copyOf(trace);
    trace.clear();
    return seen;
  }

  DriverModel failHop(String from, String to, int errno, String leaves) {
    failing.put(from + ">" + to, new Failing(errno, leaves));
    return this;
  }

  /** It answers that arc as done and stays where it is. */
  DriverModel ignoringHop(String from, String to) {
    ignored.add(from + ">" + to);
    return this;
  }

  /** Asked for its state it answers EINVAL before an arc was taken, and after a reset. */
  DriverModel reportingNoStateAtRest() {
    unreported = true;
    unreportedAfterReset = true;
    return this;
  }

  /** {@code VFIO_MIG_GET_PRECOPY_INFO} fails. */
  DriverModel refusingPrecopyInfo(int errno) {
    precopyInfoErrno = errno;
    return this;
  }

  DriverModel healed() {
    failing.clear();
    ignored.clear();
    featureErrnos.clear();
    return this;
  }

  /** Every use of that feature fails; a probe is refused for ENOTTY only. */
  DriverModel refusing(int feature, int errno) {
    featureErrnos.put(feature, errno);
    return this;
  }

  /** Every call fails from now on. */
  DriverModel lost(Reason reason, int errno) {
    everything = new AccessException(reason, errno, "scripted");
    return this;
  }

  DriverModel maxPerRead(int bytes) {
    maxPerRead = bytes;
    return this;
  }

  /** As some drivers do where the text asks for ENOMSG. */
  DriverModel precopyEndsWithZero() {
    precopyEndsWithZero = true;
    return this;
  }

  /** In STOP_COPY nothing becomes readable. */
  DriverModel stallingWhileStopped(boolean stalls) {
    stallsWhileStopped = stalls;
    return this;
  }

  /** Answers every SET with that descriptor, whatever the text says. */
  DriverModel answeringDescriptor(Integer descriptor) {
    answeredDescriptor = descriptor;
    return this;
  }

  DriverModel answeringState(Integer number) {
    answeredState = number;
    return this;
  }

  /** The device writes to memory. */
  DriverModel writes(long... pages) {
    log.writes(pages);
    return this;
  }

  /** What it says a stop would take, whatever it holds. */
  DriverModel reportingSize(long bytes) {
    reportedSize = bytes;
    return this;
  }

  /** Whoever holds the device beside the agent resets it. */
  void resetByTheWorkload() {
    becomeReset();
  }

  /** A descriptor of an open data file that belongs to no stream. */
  int spareFile() {
    return files.spare();
  }

  boolean logOn() {
    return log.on();
  }

  List<long[]> logRanges() {
    return log.ranges();
  }

  /** It answers a reset as done and does nothing. */
  DriverModel keepingStateAtReset() {
    keepsStateAtReset = true;
    return this;
  }

  int resets() {
    return resets;
  }

  boolean closed() {
    return closed;
  }

  long openFiles() {
    return files.open();
  }

  // ------------------------------------------------------------------ the kernel's side

  @Override
  public boolean probe(int feature, int directions) throws AccessException {
    requireReachable();
    boolean known =
        switch (feature) {
          case 1, 9 -> (directions & SET) == 0;
          case 2 -> true;
          case 6, 7 -> (directions & GET) == 0;
          case 8 -> (directions & SET) == 0;
          default -> false;
        };
    return known && featureErrnos.getOrDefault(feature, 0) != ENOTTY;
  }

  @Override
  public void get(int feature, ByteBuffer payload) throws AccessException {
    begin(feature, payload);
    switch (feature) {
      case 1 -> {
        requireSize(payload, 8);
        payload.putLong(0, flags);
      }
      case 2 -> {
        requireSize(payload, 8);
        if (unreported) {
          throw refused(EINVAL);
        }
        payload.putInt(
            0, answeredState != null ? answeredState : TransitionTable.STATES.indexOf(state));
        payload.putInt(4, -1);
      }
      case 8 -> {
        requireSize(payload, 32);
        trace.add("report " + log.report(payload));
      }
      case 9 -> {
        requireSize(payload, 8);
        payload.putLong(0, reportedSize != null ? reportedSize : 4 + content.length);
      }
      default -> throw refused(ENOTTY);
    }
  }

  @Override
  public void set(int feature, ByteBuffer payload) throws AccessException {
    begin(feature, payload);
    switch (feature) {
      case 2 -> {
        requireSize(payload, 8);
        int wanted = payload.getInt(0);
        payload.putInt(4, -1);
        int descriptor = walk(wanted);
        payload.putInt(4, answeredDescriptor != null ? answeredDescriptor : descriptor);
      }
      case 6 -> {
        trace.add("log start");
        requireSize(payload, 24);
        log.start(payload);
      }
      case 7 -> {
        trace.add("log stop");
        log.stop();
      }
      default -> throw refused(ENOTTY);
    }
  }

  private void begin(int feature, ByteBuffer payload) throws AccessException {
    requireReachable();
    if (!payload.isDirect() || payload.order() != ByteOrder.nativeOrder()) {
      throw new AssertionError("payloads are direct and in the host's order");
    }
    if (featureErrnos.containsKey(feature)) {
      throw refused(featureErrnos.get(feature));
    }
  }

  private static void requireSize(ByteBuffer payload, int size) throws AccessException {
    if (payload.position() != 0 || payload.limit() < size) {
      throw refused(EINVAL);
    }
  }

  void requireReachable() throws AccessException {
    if (everything != null) {
      throw everything;
    }
  }

  static AccessException refused(int errno) {
    return new AccessException(Reason.REFUSED, errno, "scripted");
  }

  boolean stallsInStopCopy() {
    return stallsWhileStopped && state.equals("STOP_COPY");
  }

  boolean endOfPrecopyIsAnError() {
    return !state.equals("STOP_COPY") && !precopyEndsWithZero;
  }

  int mostPerRead() {
    return maxPerRead;
  }

  void requirePrecopyInfo() throws AccessException {
    if (precopyInfoErrno != 0) {
      throw refused(precopyInfoErrno);
    }
  }

  private int walk(int wanted) throws AccessException {
    if (wanted < 1
        || wanted >= TransitionTable.STATES.size()
        || !TransitionTable.offered(flags, TransitionTable.STATES.get(wanted))) {
      throw refused(EINVAL);
    }
    String target = TransitionTable.STATES.get(wanted);
    trace.add("set " + target);
    int descriptor = -1;
    while (!state.equals(target)) {
      String next = TransitionTable.nextOf(state, target);
      while (!next.equals("ERROR") && !TransitionTable.offered(flags, next)) {
        next = TransitionTable.nextOf(next, target);
      }
      if (next.equals("ERROR")) {
        throw refused(EINVAL);
      }
      if (ignored.contains(state + ">" + next)) {
        return -1;
      }
      descriptor = step(next);
    }
    return descriptor;
  }

  private int step(String next) throws AccessException {
    Failing fails = failing.get(state + ">" + next);
    if (fails != null) {
      state = fails.leaves();
      files.leftIn(state);
      throw refused(fails.errno());
    }
    if (state.equals("RESUMING") && next.equals("STOP")) {
      content = files.loaded();
    }
    int descriptor = files.change(state, next, stream());
    state = next;
    unreported = false;
    return descriptor;
  }

  private byte[] stream() {
    return ByteBuffer.allocate(4 + content.length).putInt(content.length).put(content).array();
  }

  @Override
  public StateFile stateFile(int descriptor) {
    return files.of(descriptor);
  }

  @Override
  public long addressOf(ByteBuffer buffer) {
    return log.addressOf(buffer);
  }

  @Override
  public void reset() throws AccessException {
    requireReachable();
    if (featureErrnos.containsKey(-1)) {
      throw refused(featureErrnos.get(-1));
    }
    trace.add("reset");
    resets++;
    if (!keepsStateAtReset) {
      becomeReset();
    }
  }

  private void becomeReset() {
    unreported = unreportedAfterReset;
    state = "RUNNING";
    content = new byte[0];
    files.end();
  }

  @Override
  public void close() {
    closed = true;
  }

  @Override
  public DeviceInfo deviceInfo() throws AccessException {
    requireReachable();
    return new DeviceInfo(true, false, 9);
  }
}
