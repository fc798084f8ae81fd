/** Of engineers, as interviewers grade them: senior is L5. */
export const levels = ['L4', 'L5', 'L6'] as const;
export type Level = (typeof levels)[number];
