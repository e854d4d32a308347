package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.access.StateFile;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
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
final class DriverModel implements FeatureAccess {
  static final int STOP_COPY_FLAG = 1;
  static final int P2P_FLAG = 2;
  static final int PRE_COPY_FLAG = 4;

  static final int ENOMEM = 12;
  static final int ENODEV = 19;
  static final int EINVAL = 22;
  static final int ENOTTY = 25;
  static final int ENOMSG = 42;
  static final int ETIMEDOUT = 110;

  static final List<String> STATES =
      List.of(
          "ERROR",
          "STOP",
          "RUNNING",
          "STOP_COPY",
          "RESUMING",
          "RUNNING_P2P",
          "PRE_COPY",
          "PRE_COPY_P2P");

  /**
   * Row: from; columns: to STOP, RUN, PRE, PREP2P, SCOPY, RESM, RUNP2P. As the reference has it.
   */
  static final Map<String, List<String>> NEXT =
      Map.of(
          "STOP", List.of("STOP", "RUNP2P", "RUNP2P", "RUNP2P", "SCOPY", "RESM", "RUNP2P"),
          "RUN", List.of("RUNP2P", "RUN", "PRE", "RUNP2P", "RUNP2P", "RUNP2P", "RUNP2P"),
          "PRE", List.of("RUN", "RUN", "PRE", "PREP2P", "PREP2P", "RUN", "RUN"),
          "PREP2P", List.of("RUNP2P", "RUNP2P", "PRE", "PREP2P", "SCOPY", "RUNP2P", "RUNP2P"),
          "SCOPY", List.of("STOP", "STOP", "E", "E", "SCOPY", "STOP", "STOP"),
          "RESM", List.of("STOP", "STOP", "STOP", "STOP", "STOP", "RESM", "STOP"),
          "RUNP2P", List.of("STOP", "RUN", "RUN", "PREP2P", "STOP", "STOP", "RUNP2P"));

  static final List<String> COLUMNS =
      List.of("STOP", "RUN", "PRE", "PREP2P", "SCOPY", "RESM", "RUNP2P");

  private static final Map<String, String> LONG_NAMES =
      Map.of(
          "STOP", "STOP",
          "RUN", "RUNNING",
          "PRE", "PRE_COPY",
          "PREP2P", "PRE_COPY_P2P",
          "SCOPY", "STOP_COPY",
          "RESM", "RESUMING",
          "RUNP2P", "RUNNING_P2P",
          "E", "ERROR");

  /** One arc fails, with that errno, and leaves the device in that state. */
  private record Failing(int errno, String leaves) {}

  private final int flags;
  private final List<String> trace = new ArrayList<>();
  private final Map<String, Failing> failing = new HashMap<>();
  private final Map<Integer, ModelFile> files = new HashMap<>();
  private final Map<Long, ByteBuffer> memory = new HashMap<>();
  private final Set<Long> dirty = new TreeSet<>();
  private final Map<Integer, Integer> featureErrnos = new HashMap<>();
  private String state = "RUNNING";
  private byte[] content = {};
  private ModelFile saving;
  private ModelFile resuming;
  private int nextDescriptor = 100;
  private int maxPerRead = Integer.MAX_VALUE;
  private boolean precopyEndsWithZero;
  private boolean stallsWhileStopped;
  private Integer answeredDescriptor;
  private Integer answeredState;
  private Long reportedSize;
  private boolean logOn;
  private List<long[]> logRanges = List.of();
  private long nextAddress = 0x7000_0000_0000L;
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
    // The files of who led it there are not this one's.
    saving = isSaving(where) ? new ModelFile(stream()) : null;
    resuming = where.equals("RESUMING") ? new ModelFile(new byte[0]) : null;
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
    for (long page : pages) {
      dirty.add(page);
    }
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
    return install(new ModelFile(new byte[0]));
  }

  boolean logOn() {
    return logOn;
  }

  List<long[]> logRanges() {
    return logRanges;
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
    return files.values().stream().filter(file -> !file.closed).count();
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
        payload.putInt(0, answeredState != null ? answeredState : STATES.indexOf(state));
        payload.putInt(4, -1);
      }
      case 8 -> report(payload);
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
      case 6 -> startLog(payload);
      case 7 -> {
        trace.add("log stop");
        logOn = false;
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

  private void requireReachable() throws AccessException {
    if (everything != null) {
      throw everything;
    }
  }

  private static AccessException refused(int errno) {
    return new AccessException(Reason.REFUSED, errno, "scripted");
  }

  private boolean has(String where) {
    int needed =
        STOP_COPY_FLAG
            | (where.endsWith("P2P") ? P2P_FLAG : 0)
            | (where.startsWith("PRE_COPY") ? PRE_COPY_FLAG : 0);
    return (flags & needed) == needed;
  }

  private static String nextOf(String from, String to) {
    String row = shortName(from);
    List<String> columns = NEXT.get(row);
    return columns == null ? "ERROR" : LONG_NAMES.get(columns.get(COLUMNS.indexOf(shortName(to))));
  }

  private static String shortName(String name) {
    return LONG_NAMES.entrySet().stream()
        .filter(entry -> entry.getValue().equals(name))
        .findFirst()
        .orElseThrow()
        .getKey();
  }

  private int walk(int wanted) throws AccessException {
    if (wanted < 1 || wanted >= STATES.size() || !has(STATES.get(wanted))) {
      throw refused(EINVAL);
    }
    String target = STATES.get(wanted);
    trace.add("set " + target);
    int descriptor = -1;
    while (!state.equals(target)) {
      String next = nextOf(state, target);
      while (!next.equals("ERROR") && !has(next)) {
        next = nextOf(next, target);
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
      leave(fails.leaves());
      throw refused(fails.errno());
    }
    if (state.equals("RESUMING") && next.equals("STOP")) {
      content = resuming.whole();
    }
    boolean wasSaving = isSaving(state);
    boolean willSave = isSaving(next);
    int descriptor = -1;
    if (willSave && !wasSaving) {
      saving = new ModelFile(next.equals("STOP_COPY") ? stream() : Arrays.copyOf(stream(), 4));
      descriptor = install(saving);
    } else if (saving != null && willSave && next.equals("STOP_COPY")) {
      byte[] whole = stream();
      saving.append(Arrays.copyOfRange(whole, 4, whole.length));
    } else if (!willSave) {
      endSaving();
    }
    if (next.equals("RESUMING")) {
      resuming = new ModelFile(new byte[0]);
      descriptor = install(resuming);
    } else {
      endResuming();
    }
    state = next;
    unreported = false;
    return descriptor;
  }

  /** A hop failed: it may have got there all the same, without a file to show for it. */
  private void leave(String where) {
    state = where;
    if (!isSaving(where)) {
      endSaving();
    }
    if (!where.equals("RESUMING")) {
      endResuming();
    } else if (resuming == null) {
      resuming = new ModelFile(new byte[0]);
    }
  }

  private void endSaving() {
    if (saving != null) {
      saving.disabled = true;
      saving = null;
    }
  }

  private void endResuming() {
    if (resuming != null) {
      resuming.disabled = true;
      resuming = null;
    }
  }

  private int install(ModelFile file) {
    files.put(nextDescriptor, file);
    return nextDescriptor++;
  }

  private static boolean isSaving(String where) {
    return where.startsWith("PRE_COPY") || where.equals("STOP_COPY");
  }

  private byte[] stream() {
    return ByteBuffer.allocate(4 + content.length).putInt(content.length).put(content).array();
  }

  private void startLog(ByteBuffer payload) throws AccessException {
    trace.add("log start");
    requireSize(payload, 24);
    long pageSize = payload.getLong(0);
    int count = payload.getInt(8);
    if (count == 0 || logOn) {
      throw refused(EINVAL);
    }
    if (count > 256) {
      throw refused(7);
    }
    ByteBuffer ranges = memory.get(payload.getLong(16));
    List<long[]> taken = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long iova = ranges.getLong(i * 16);
      long length = ranges.getLong(i * 16 + 8);
      if (iova % pageSize != 0 || length % pageSize != 0) {
        throw refused(EINVAL);
      }
      for (long[] other : taken) {
        if (iova < other[0] + other[1] && other[0] < iova + length) {
          throw refused(EINVAL);
        }
      }
      taken.add(new long[] {iova, length});
    }
    logRanges = taken;
    logOn = true;
    dirty.clear();
  }

  private void report(ByteBuffer payload) throws AccessException {
    requireSize(payload, 32);
    if (!logOn) {
      throw refused(EINVAL);
    }
    long first = payload.getLong(0) / payload.getLong(16);
    long pages = payload.getLong(8) / payload.getLong(16);
    ByteBuffer bits = memory.get(payload.getLong(24)).duplicate().order(ByteOrder.LITTLE_ENDIAN);
    trace.add("report " + pages);
    for (long page : List.copyOf(dirty)) {
      if (page >= first && page < first + pages) {
        int word = (int) ((page - first) / 64) * 8;
        bits.putLong(word, bits.getLong(word) | 1L << ((page - first) % 64));
        dirty.remove(page);
      }
    }
  }

  @Override
  public StateFile stateFile(int descriptor) {
    return files.get(descriptor);
  }

  @Override
  public long addressOf(ByteBuffer buffer) {
    nextAddress += 1L << 20;
    memory.put(nextAddress, buffer);
    return nextAddress;
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
    endSaving();
    endResuming();
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

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    throw refused(EINVAL);
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    throw refused(EINVAL);
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    throw refused(EINVAL);
  }

  @Override
  public List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts) {
    return List.of();
  }

  /** A data file; a stream of bytes that only its end and its errnos structure. */
  private final class ModelFile implements StateFile {
    private final Deque<Byte> bytes = new ArrayDeque<>();
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private boolean disabled;
    private boolean closed;

    ModelFile(byte[] initial) {
      append(initial);
    }

    void append(byte[] more) {
      for (byte one : more) {
        bytes.add(one);
      }
    }

    byte[] whole() throws AccessException {
      byte[] all = written.toByteArray();
      if (all.length < 4 || ByteBuffer.wrap(all).getInt(0) != all.length - 4) {
        throw refused(EINVAL);
      }
      return Arrays.copyOfRange(all, 4, all.length);
    }

    @Override
    public int read(ByteBuffer into, Duration timeout) throws AccessException {
      requireUsable();
      if (timeout.isNegative() || timeout.isZero()) {
        throw new AssertionError("nobody reads without timeout");
      }
      if (stallsWhileStopped && state.equals("STOP_COPY")) {
        throw refused(ETIMEDOUT);
      }
      if (bytes.isEmpty()) {
        if (!state.equals("STOP_COPY") && !precopyEndsWithZero) {
          throw refused(ENOMSG);
        }
        return 0;
      }
      int count = Math.min(Math.min(bytes.size(), into.remaining()), maxPerRead);
      for (int i = 0; i < count; i++) {
        into.put(bytes.remove());
      }
      return count;
    }

    @Override
    public void write(ByteBuffer from, Duration timeout) throws AccessException {
      requireUsable();
      while (from.hasRemaining()) {
        byte one = from.get();
        if (one == (byte) 0xee) {
          throw refused(ENOMEM);
        }
        written.write(one);
      }
    }

    @Override
    public PrecopyInfo precopyInfo() throws AccessException {
      requireUsable();
      if (!state.startsWith("PRE_COPY")) {
        throw refused(EINVAL);
      }
      if (precopyInfoErrno != 0) {
        throw refused(precopyInfoErrno);
      }
      return new PrecopyInfo(bytes.size(), 0);
    }

    private void requireUsable() throws AccessException {
      requireReachable();
      if (closed) {
        throw new AssertionError("used after it was closed");
      }
      if (disabled) {
        throw refused(ENODEV);
      }
    }

    @Override
    public void close() {
      closed = true;
    }
  }
}
