export function locked<T>(folder: string, work: () => Promise<T> | T, waiting?: () => void): Promise<T>;
